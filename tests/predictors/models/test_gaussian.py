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


def test_of_many_rows_those_far_apart_stand_for_all() -> None:
    # Rows on a line: the first is the one nearest to the mean, then come the ends.
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 10, (1500, 2))
    X[0], X[1] = 100.0, -90.0
    y = 0.3 * np.sin(X[:, 0]) * (np.abs(X).max(axis=1) <= 10) + rng.normal(0, 0.1, 1500)
    process = fit_process(X, y)
    rows = process["rows"] * process["scale"] + process["mean"]
    assert len(rows) == len(process["weight"]) == 400
    assert {100.0, -90.0} <= set(np.round(rows[1:3, 0], 6))


def test_the_weights_of_many_rows_come_from_all_of_them() -> None:
    # The projected process of Rasmussen and Williams, equation 8.26, by its textbook formula.
    rng = np.random.default_rng(1)
    X = rng.uniform(0, 10, (600, 2))
    y = 0.3 * np.sin(X[:, 0]) + rng.normal(0, 0.1, 600)
    process = fit_process(X, y)
    kernel = ConstantKernel(process["amplitude"]) * Matern(process["length"], nu=2.5)
    rows, own = (X - X.mean(axis=0)) / X.std(axis=0), process["rows"]
    to_all = kernel(own, rows)
    expected = np.linalg.lstsq(to_all @ to_all.T + 1e-2 * kernel(own), to_all @ y, rcond=1e-14)[0]
    new = rng.uniform(0, 10, (50, 2))
    predicted = kernel((new - X.mean(axis=0)) / X.std(axis=0), own) @ expected
    np.testing.assert_allclose(process_mean(process, new), predicted, atol=1e-3)


def test_copies_of_rows_are_taken_once() -> None:
    rng = np.random.default_rng(2)
    X = np.repeat(rng.normal(0, 1, (50, 2)), 10, axis=0)
    truth = 0.3 * np.sin(X[:, 0])
    process = fit_process(X, truth + rng.normal(0, 0.01, 500))
    assert len(process["rows"]) == 50
    np.testing.assert_allclose(process_mean(process, X), truth, atol=0.02)
