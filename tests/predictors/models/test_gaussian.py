import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from predictors.models.gaussian import fit_process, process_mean, process_of


def test_a_process_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X, new = rng.normal(3, 2, (40, 3)), rng.normal(3, 2, (9, 3))
    y = 0.3 * np.sin(X[:, 0]) + rng.normal(0, 0.1, 40)
    process = fit_process(X, y)
    noises = np.logspace(-6, 0, 200)
    smooth = ConstantKernel(process["amplitude"]) * Matern(process["length"], nu=2.5)
    best, noise = max(
        (
            GaussianProcessRegressor(smooth + WhiteKernel(noise), optimizer=None)
            .fit((X - X.mean(axis=0)) / X.std(axis=0), y)
            .log_marginal_likelihood_value_,
            noise,
        )
        for noise in noises
    )
    assert np.isfinite(best)
    pipeline = make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(smooth + WhiteKernel(noise), optimizer=None),
    ).fit(X, y)
    assert process_mean(process, new) == pytest.approx(pipeline.predict(new), abs=0.03)
    np.testing.assert_allclose(
        process_mean(process_of(pipeline), new), pipeline.predict(new), rtol=1e-8
    )
