import numpy as np

from predictors.models import HatMlp


def test_it_learns_a_law_from_some_hundred_rows() -> None:
    X = np.random.default_rng(0).uniform(1, 10, (300, 4))
    y = 10 + X @ [1.0, 2.0, 0.0, 5.0]
    predicted = HatMlp().fit(X[:200], y[:200]).predict(X[200:])
    assert np.mean(np.abs(predicted / y[200:] - 1)) < 0.05
