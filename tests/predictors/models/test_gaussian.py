import numpy as np

from predictors.models import GaussianProcess, LogRidge


def test_it_bends_where_a_power_law_cannot() -> None:
    X = np.random.default_rng(0).uniform(0, 10, (80, 1))
    y = 10 + 5 * np.sin(X[:, 0])
    train, test = slice(0, 60), slice(60, 80)
    errors = [
        np.mean(np.abs(model.fit(X[train], y[train]).predict(X[test]) / y[test] - 1))
        for model in (LogRidge(), GaussianProcess())
    ]
    assert errors[1] < errors[0] / 5
