import numpy as np
import pytest

from predictors.models import FlopsLine, Roofline, RooflineBoost


def test_prices_of_a_noise_free_law_are_found() -> None:
    X = np.random.default_rng(0).uniform(0, 50, (20, 3))
    model = Roofline().fit(X, 3 + X @ [0.5, 0.0, 2.0])
    np.testing.assert_allclose(model.price_, [3, 0.5, 0, 2], atol=1e-9)


def test_no_price_is_negative() -> None:
    X = np.random.default_rng(0).uniform(0, 50, (30, 2))
    model = Roofline().fit(X, 200 + X @ [1.0, -2.0])
    assert (model.price_ >= 0).all()


def test_the_flops_line_adds_its_columns() -> None:
    X = np.array([[1.0, 9, 2], [2, 1, 2], [3, 5, 4], [5, 0, 1]])
    model = FlopsLine((0, 2)).fit(X, 10 + 2 * (X[:, 0] + X[:, 2]))
    assert model.predict([[4, 100, 6]]) == pytest.approx([30])


def test_boosting_learns_what_prices_cannot() -> None:
    # A step of 50 % on top of an additive law.
    X = np.random.default_rng(0).uniform(0, 10, (300, 2))
    y = (5 + X @ [1.0, 2.0]) * np.where(X[:, 0] > 5, 1.5, 1.0)
    train, test = slice(0, 200), slice(200, 300)
    errors = [
        np.mean(np.abs(model.fit(X[train], y[train]).predict(X[test]) / y[test] - 1))
        for model in (Roofline(), RooflineBoost())
    ]
    assert errors[1] < errors[0] / 2
