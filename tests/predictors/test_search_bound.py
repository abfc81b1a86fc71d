from itertools import product, starmap

import numpy as np
import pytest

from predictors.conformal import ratio_bounds
from predictors.search_bound import search_factor

_POOLS = 2  # shares differ more from log to log than from pool to pool
_BUDGETS = np.linspace(0.1, 0.9, 20)
_ERRORS = 1.645  # standard errors between a mean and its one-sided 95 % limit
_CASES = list(product([50, 100, 150, 300], [0.0, 0.01, 0.02, 0.04]))


def pool(
    n: int, slope: float, rng: np.random.Generator, *, whole: bool = False
) -> tuple[np.ndarray, ...]:
    """Ratios, predictions and features of rows whose error grows with what a search maximises.

    Of two rows of one prediction the larger has the larger first column, and a latency that is
    larger by `slope` for each standard deviation of that surplus. The column holds whole numbers
    when it is `whole`.
    """
    predicted, surplus = rng.uniform(10, 30, n), rng.standard_normal(n)
    ratios = np.exp(slope * surplus + 0.02 * rng.standard_normal(n))
    size = np.log(predicted) + 0.1 * surplus
    if whole:
        size = np.round(10 * size)
    return ratios, predicted, np.column_stack([size, rng.standard_normal(n)])


def share_over_budget(factor: float, pool: tuple[np.ndarray, ...]) -> float:
    """Return how often the largest of new rows whose bound fits exceeds the budget."""
    ratios, predicted, rows = pool
    budgets = np.quantile(predicted, _BUDGETS)
    largest_first = np.lexsort((-predicted, -rows[:, 0]))
    predicted, ratios = predicted[largest_first], ratios[largest_first]
    fits = predicted[None, :] * factor <= budgets[:, None]
    picks = fits.argmax(axis=1)
    over = predicted[picks] * ratios[picks] > budgets
    return float(np.mean(over[fits.any(axis=1)]))


def upper_limits(
    n_rows: int, slope: float, *, n_logs: int = 150, whole: bool = False
) -> dict[int, float]:
    """Return the one-sided 95 % limit of the share over budget by the number of candidates.

    Each log is drawn anew, and so are the pools of candidates that are searched under twenty
    budgets with the bound of that log: the shares of the logs are independent.
    """
    rng = np.random.default_rng(1)
    shares: dict[int, list[float]] = {150: [], 2000: []}
    for _ in range(n_logs):
        factor = search_factor(*pool(n_rows, slope, rng, whole=whole), confidence=0.95)
        for candidates, of_logs in shares.items():
            pools = [pool(candidates, slope, rng, whole=whole) for _ in range(_POOLS)]
            of_logs.append(float(np.mean([share_over_budget(factor, each) for each in pools])))
    return {n: np.mean(x) + _ERRORS * np.std(x, ddof=1) / n_logs**0.5 for n, x in shares.items()}


def test_at_most_one_search_in_twenty_exceeds_its_budget_in_one_case() -> None:
    limits = upper_limits(300, 0.04, n_logs=50)
    assert max(limits.values()) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "slope"), _CASES)
def test_at_most_one_search_in_twenty_exceeds_its_budget(n_rows: int, slope: float) -> None:
    limits = upper_limits(n_rows, slope)
    assert limits[150] <= 0.05
    assert limits[2000] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [50, 300])
def test_a_column_of_whole_numbers_holds_as_well(n_rows: int) -> None:
    assert max(upper_limits(n_rows, 0.04, whole=True).values()) <= 0.05


def test_the_plain_bound_does_not_hold_for_a_search() -> None:
    rng = np.random.default_rng(1)
    _, plain = ratio_bounds(pool(300, 0.04, rng)[0], 0.95)
    assert share_over_budget(plain, pool(2000, 0.04, rng)) > 0.4


def test_it_is_no_wider_than_what_a_search_of_3000_needs() -> None:
    # The true factor is found by brute force: the quantile of the overshoot of real picks, whose
    # bound is 1. The estimate from 300 rows lies near it on average over logs.
    rng = np.random.default_rng(0)
    overshoots = []
    for _ in range(100):
        ratios, predicted, rows = pool(3000, 0.04, rng)
        for budget in np.quantile(predicted, _BUDGETS):
            fits = np.flatnonzero(predicted <= budget)
            pick = fits[rows[fits, 0].argmax()]
            overshoots.append(predicted[pick] * ratios[pick] / budget)
    logs = (pool(300, 0.04, rng) for _ in range(10))
    factors = list(starmap(lambda *log: search_factor(*log, confidence=0.95), logs))
    assert np.mean(factors) - 1 == pytest.approx(np.quantile(overshoots, 0.95) - 1, rel=0.15)


def test_it_is_never_tighter_than_the_plain_bound() -> None:
    for seed in range(5):
        ratios, predicted, rows = pool(60, 0.0, np.random.default_rng(seed))
        _, plain = ratio_bounds(ratios, 0.95)
        assert search_factor(ratios, predicted, rows, confidence=0.95) >= plain


def test_it_is_not_limited_by_the_largest_ratio_of_the_log() -> None:
    ratios, predicted, rows = pool(50, 0.04, np.random.default_rng(0))
    assert search_factor(ratios, predicted, rows, confidence=0.95) > ratios.max()


def test_a_column_that_the_prediction_determines_leaves_no_choice() -> None:
    ratios, predicted, _ = pool(60, 0.04, np.random.default_rng(0))
    _, plain = ratio_bounds(ratios, 0.95)
    for column in (np.log(predicted), np.ones(60)):
        assert search_factor(ratios, predicted, column[:, None], confidence=0.95) == plain


def test_equal_predictions_are_no_problem() -> None:
    ratios, _, rows = pool(60, 0.04, np.random.default_rng(0))
    assert search_factor(ratios, np.full(60, 20.0), rows, confidence=0.95) < 1.5


@pytest.mark.parametrize("n_rows", [1, 2, 3, 4])
def test_very_few_rows_are_enough_for_a_low_confidence(n_rows: int) -> None:
    rows = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    assert search_factor(np.full(n_rows, 1.1), np.full(n_rows, 9.0), rows, confidence=0.5) == 1.1


def test_too_few_rows_for_the_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="'confidence' 0.95 needs at least 19 measured rows"):
        search_factor(np.ones(10), np.ones(10), np.ones((10, 1)), confidence=0.95)
