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


def test_moving_costs_what_reading_costs_where_few_rows_do_not_tell() -> None:
    # Moving grows with computing. The row to predict computes as much as others, and moves little.
    errors: dict[tuple[int, ...], list[float]] = {(0, 1): [], (0, 1, 2): []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        computing, reading = np.exp(rng.uniform(0, 5, (2, 20)))
        moving = 0.3 * computing * np.exp(rng.normal(0, 0.3, 20))
        latency = 2 + np.hypot(0.3 * computing, 0.1 * reading) + 0.1 * moving
        X, y = np.column_stack([computing, reading, moving]), latency * rng.lognormal(0, 0.1, 20)
        for overlap, of_seeds in errors.items():
            predicted = Roofline(overlap=overlap).fit(X, y).predict([[100, 10, 3]])[0]
            of_seeds.append(abs(predicted / (2 + np.hypot(30, 1) + 0.3) - 1))
    assert np.mean(errors[0, 1, 2]) < 0.6 * np.mean(errors[0, 1])


def test_many_rows_tell_another_price_of_moving() -> None:
    X = np.exp(np.random.default_rng(0).uniform(0, 5, (2000, 3)))
    y = 2 + np.hypot(0.3 * X[:, 0], 0.5 * X[:, 1]) + 3 * X[:, 2]
    price = Roofline(overlap=(0, 1, 2)).fit(X, y).price_
    np.testing.assert_allclose(price, [2, 0.3, 0.5, 3], rtol=0.02)


def test_the_unit_of_a_column_does_not_change_the_prediction() -> None:
    rng = np.random.default_rng(0)
    X = np.exp(rng.uniform(0, 5, (20, 4)))
    y = (2 + np.hypot(0.3 * X[:, 0], 0.5 * X[:, 1]) + X[:, 2:] @ [0.6, 0.4]) * rng.uniform(1, 2, 20)
    scale = np.array([1e3, 1e-4, 1e-4, 1e-4])  # reading and moving have one unit
    plain, scaled = (Roofline(overlap=(0, 1, 2, 3)).fit(X * unit, y) for unit in (1, scale))
    np.testing.assert_allclose(scaled.predict(X * scale), plain.predict(X), rtol=1e-6)


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
