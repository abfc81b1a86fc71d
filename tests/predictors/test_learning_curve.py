import numpy as np
import pytest

from predictors.learning_curve import LearningCurve, learning_curve
from predictors.models import Ridge


def test_the_law_says_what_more_rows_bring() -> None:
    curve = LearningCurve((20, 50), (0.05, 0.035), floor=0.02, slope=0.6)
    assert curve.gain(40, 20) == pytest.approx(0.6 / 40 - 0.6 / 60)
    assert curve.rows_for(0.03) == 60
    assert curve.rows_for(0.02) is None


def test_the_floor_is_the_noise() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 10, (300, 8))
    y = (20 + X @ np.arange(1.0, 9)) * np.exp(0.05 * rng.standard_normal(300))
    curve = learning_curve(Ridge(), X, y)
    assert curve is not None
    assert curve.rows == (10, 15, 20, 30, 50, 75, 100, 150, 200)
    assert curve.mapes[0] > curve.mapes[-1]
    # The mean absolute value of normal noise is sqrt(2 / pi) of its deviation.
    assert curve.floor == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.2)


def test_a_group_is_never_fitted_and_tested() -> None:
    # Within a group all rows are alike: a ridge that has seen it errs by nothing.
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 10)
    X = rng.normal(size=(12, 30))[groups]
    y = rng.uniform(1, 3, 12)[groups]
    together = learning_curve(Ridge(), X, y)
    apart = learning_curve(Ridge(), X, y, groups=groups)
    assert together is not None
    assert apart is not None
    assert apart.mapes[-1] > 5 * together.mapes[-1]


def test_the_law_passes_through_the_error_that_was_reached() -> None:
    # Eight unknowns without noise: the error falls faster than 1/n, so the law alone is too high.
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 10, (40, 8))
    y = np.exp(X @ np.linspace(-0.3, 0.3, 8))
    alone = learning_curve(Ridge(), X, y)
    assert alone is not None
    assert alone.floor > 0
    reached = 0.8 * alone.floor
    curve = learning_curve(Ridge(), X, y, unseen=reached)
    assert curve is not None
    assert curve.rows == (*alone.rows, 40)
    assert curve.mapes == (*alone.mapes, reached)
    assert curve.floor <= reached
    assert curve.floor + curve.slope / 40 == pytest.approx(reached, rel=0.02)
    assert 0 < curve.gain(40, 20) <= reached


@pytest.mark.parametrize(
    ("mapes", "follows"),
    [
        ((0.22, 0.12, 0.07), True),  # 2 % + 2 / n
        ((0.22, 0.159, 0.07), True),
        ((0.22, 0.161, 0.07), False),  # 12 % is more than a quarter below
        ((0.41, 0.37, 0.08), False),
    ],
)
def test_a_law_far_from_its_points_is_none(mapes: tuple[float, ...], follows: bool) -> None:
    assert LearningCurve((10, 20, 40), mapes, floor=0.02, slope=2.0).follows_law == follows


def test_more_rows_are_more_groups() -> None:
    # The level of a group is unknown from other groups, so rows of the same groups do not help.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    X = rng.uniform(1, 10, (60, 8))[groups]
    y = (20 + X @ np.arange(1.0, 9)) * np.exp(0.05 * rng.standard_normal(60))[groups]
    curve = learning_curve(Ridge(), X, y, groups=groups)
    once = learning_curve(Ridge(), X[::5], y[::5])
    assert curve is not None
    assert once is not None
    of_groups = dict(zip(curve.rows, curve.mapes, strict=True))
    assert of_groups[150] == pytest.approx(
        dict(zip(once.rows, once.mapes, strict=True))[30], rel=0.2
    )


def test_too_few_rows_have_no_curve() -> None:
    assert learning_curve(Ridge(), np.ones((12, 1)), np.ones(12)) is None
