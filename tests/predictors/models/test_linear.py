import numpy as np

from predictors.models import LogRidge, Ridge


def test_ridge_recovers_a_line_with_negative_slopes() -> None:
    X = np.random.default_rng(0).uniform(0, 10, (40, 2))
    y = 100 + X @ [3.0, -4.0]
    np.testing.assert_allclose(Ridge().fit(X, y).predict(X), y, rtol=1e-4)


def test_log_ridge_recovers_a_power_law() -> None:
    X = np.expm1(np.random.default_rng(0).uniform(0, 5, (40, 2)))
    y = 0.5 * (1 + X[:, 0]) ** 0.7 * (1 + X[:, 1]) ** -0.3
    np.testing.assert_allclose(LogRidge().fit(X, y).predict(X), y, rtol=1e-3)
