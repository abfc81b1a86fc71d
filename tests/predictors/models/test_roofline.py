import numpy as np
import pytest

from predictors.models import (
    FlopsLine,
    Roofline,
    RooflineBoost,
    RooflineGaussian,
    RooflineRidge,
)


def test_prices_of_a_noise_free_law_are_found() -> None:
    X = np.random.default_rng(0).uniform(0, 50, (20, 3))
    model = Roofline().fit(X, 3 + X @ [0.5, 0.0, 2.0])
    np.testing.assert_allclose(model.price_, [3, 0.5, 0, 2], atol=1e-9)


def test_no_price_is_negative() -> None:
    X = np.random.default_rng(0).uniform(0, 50, (30, 2))
    model = Roofline().fit(X, 200 + X @ [1.0, -2.0])
    assert (model.price_ >= 0).all()


def test_work_too_little_for_a_price_has_none() -> None:
    X = np.random.default_rng(0).uniform(1, 9, (30, 2)) * [1e-310, 1.0]
    model = Roofline().fit(X, 3 + 2 * X[:, 1] + X[:, 0] * 1e300 * 1e10)
    assert model.price_[1] == 0
    assert np.isfinite(model.predict(X)).all()


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


def test_a_gaussian_process_bends_where_prices_cannot() -> None:
    X = np.random.default_rng(0).uniform(0, 10, (80, 1))
    y = 10 + 2 * np.sin(X[:, 0])
    train, test = slice(0, 60), slice(60, 80)
    errors = [
        np.mean(np.abs(model.fit(X[train], y[train]).predict(X[test]) / y[test] - 1))
        for model in (Roofline(), RooflineGaussian())
    ]
    assert errors[1] < errors[0] / 5


def test_a_circumstance_that_doubles_some_rows_leaves_the_prices_alone() -> None:
    # Column 1 is no work; where it is 1, everything takes twice as long.
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(1, 10, 60), rng.integers(0, 2, 60)])
    y = (3 + 2 * X[:, 0]) * (1 + X[:, 1])
    model = RooflineRidge((0,)).fit(X, y)
    assert model.predict([[5.0, 0.0]]) == pytest.approx([13], rel=0.03)
    assert model.predict([[5.0, 1.0]]) == pytest.approx([26], rel=0.03)
    assert Roofline((0,)).fit(X, y).predict([[5.0, 1.0]])[0] < 25


def test_a_few_disturbed_rows_do_not_move_the_prices() -> None:
    X = np.random.default_rng(0).uniform(1, 10, (40, 1))
    y = 3 + 2 * X[:, 0]
    y[:4] *= 1.5
    assert Roofline().fit(X, y).predict([[5.0]]) == pytest.approx([13], rel=0.005)


def test_work_that_overlaps_counts_as_the_root_of_squares() -> None:
    rng = np.random.default_rng(0)
    X = np.exp(rng.uniform(0, 5, (40, 3)))
    y = 2 + np.hypot(0.3 * X[:, 0], 0.5 * X[:, 2]) + 0.1 * X[:, 1]
    model = Roofline(overlap=(0, 2)).fit(X, y)
    np.testing.assert_allclose(model.price_, [2, 0.3, 0.1, 0.5], rtol=0.01)
    np.testing.assert_allclose(model.predict(X), y, rtol=0.005)
    # The second column of the work is the third of the matrix.
    chosen = Roofline((1, 2, 0), overlap=(0, 2)).fit(X, y)
    np.testing.assert_allclose(chosen.price_, [2, 0.1, 0.5, 0.3], rtol=0.01)
