"""A Gaussian process on log latency."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from predictors.models.base import Matrix, Vector
from predictors.models.linear import LogModel


class GaussianProcess(LogModel):
    """A power law plus a smooth deviation plus noise.

    The kernel is linear + Matern 5/2 (one length for all features) + white noise, on standardised
    log features (Rasmussen & Williams 2006, ch. 4); its parameters maximise the marginal
    likelihood. Time grows with the cube of the number of rows.
    """

    def _fit(self, X: Matrix, y: Vector) -> None:
        with warnings.catch_warnings():
            # Noise-free or linear logs push a parameter to the edge of its range; that is fine.
            warnings.simplefilter("ignore", ConvergenceWarning)
            super()._fit(X, y)

    def _pipeline(self, n_rows: int) -> Pipeline:
        smooth = ConstantKernel(1.0, (1e-4, 1e3)) * Matern(1.0, (0.1, 1e3), nu=2.5)
        linear = ConstantKernel(1.0, (1e-4, 1e3)) * DotProduct(1.0, (1e-3, 1e3))
        kernel = smooth + linear + WhiteKernel(1e-2, (1e-6, 1.0))
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
        return make_pipeline(StandardScaler(), process)
