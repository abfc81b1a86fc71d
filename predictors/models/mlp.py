"""This module holds a model like HAT's latency predictor, as a reference."""

import warnings

from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from predictors.models.base import Matrix, Vector
from predictors.models.linear import LogModel

_UPDATES = 2000
_BATCH = 64


class HatMlp(LogModel):
    """Fully connected layers with ReLU, trained by Adam (Wang et al. 2020, arXiv 2005.14187).

    HAT has four hidden layers of 400 units and 5000 updates for 1600 rows. Here there are three
    layers of 64 units and 2000 updates, on standardised log features and log latency, so that
    cross-validation takes seconds.

    Args:
        seed: The seed of the initial weights and the batches.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the updates are fixed, as in HAT
            super()._fit(X, y)

    def _pipeline(self, n_rows: int) -> Pipeline:
        batch = min(_BATCH, n_rows)
        epochs = max(1, _UPDATES * batch // n_rows)
        network = MLPRegressor(
            hidden_layer_sizes=(64, 64, 64),
            alpha=1e-3,
            batch_size=batch,
            max_iter=epochs,
            n_iter_no_change=epochs,
            random_state=self.seed,
        )
        # Without this, Adam's first updates would only learn the mean.
        scaled = TransformedTargetRegressor(network, transformer=StandardScaler())
        return make_pipeline(StandardScaler(), scaled)
