import numpy as np
import pytest

from predictors.conformal import ratio_bounds
from predictors.search_bound import search_factor

_LOGS, _POOLS = 60, 10
_BUDGETS = np.linspace(0.1, 0.9, 20)
_ERRORS = 1.645  # standard errors between a mean and its one-sided 95 % limit


def pool(n: int, slope: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Ratios, predictions and features of rows whose error grows with what a search maximises.

    Of two rows of one prediction the larger has the larger first column, and a latency that is
    larger by `slope` for each standard deviation of that surplus.
    """
    predicted, surplus = rng.uniform(10, 30, n), rng.standard_normal(n)
    ratios = np.exp(slope * surplus + 0.02 * rng.standard_normal(n))
    size = np.log(predicted) + 0.1 * surplus
    return ratios, predicted, np.column_stack([size, rng.standard_normal(n)])


def share_over_budget(factor: float, n: int, slope: float, rng: np.random.Generator) -> float:
    """Return how often the largest of n new rows whose bound fits exceeds the budget."""
    ratios, predicted, rows = pool(n, slope, rng)
    budgets = np.quantile(predicted, _BUDGETS)
    largest_first = np.argsort(-rows[:, 0])
    predicted, ratios = predicted[largest_first], ratios[largest_first]
    fits = predicted[None, :] * factor <= budgets[:, None]
    picks = fits.argmax(axis=1)
    over = predicted[picks] * ratios[picks] > budgets
    return float(np.mean(over[fits.any(axis=1)]))


def shares(n_rows: int, slope: float, *, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares over budget of 60 logs, with the bound for searches and the plain one.

    Each log is drawn anew, and so are the ten pools of candidates that are searched under twenty
    budgets with the bounds of that log: the 60 shares of a bound are independent, so that the
    standard error of their mean is their standard deviation over the root of 60.
    """
    rng = np.random.default_rng(1)
    by_log = []
    for _ in range(_LOGS):
        ratios, predicted, rows = pool(n_rows, slope, rng)
        searched = search_factor(ratios, predicted, rows, confidence=0.95)
        _, plain = ratio_bounds(ratios, 0.95)
        by_log.append(
            [
                np.mean([share_over_budget(bound, candidates, slope, rng) for _ in range(_POOLS)])
                for bound in (searched, plain)
            ]
        )
    of_searched, of_plain = np.array(by_log).T
    return of_searched, of_plain


def upper_limit(of_logs: np.ndarray) -> np.float64:
    """Return the one-sided 95 % limit of the mean of independent shares."""
    return of_logs.mean() + _ERRORS * of_logs.std(ddof=1) / np.sqrt(len(of_logs))


@pytest.mark.parametrize(
    ("n_rows", "slope"), [(50, 0.0), (50, 0.04), (100, 0.04), (150, 0.02), (300, 0.01)]
)
def test_at_most_one_search_in_twenty_exceeds_its_budget(n_rows: int, slope: float) -> None:
    # Pools are as large as those that the bound was made with, half of the log.
    searched, _ = shares(n_rows, slope, candidates=n_rows // 2)
    assert upper_limit(searched) <= 0.05


def test_errors_that_follow_the_objective_exceed_the_plain_bound_but_hardly_this() -> None:
    # With an error of which four fifths go with what is maximised, 5 % are just missed (5.7 %).
    searched, plain = shares(300, 0.04, candidates=150)
    assert upper_limit(searched) <= 0.07
    assert plain.mean() > 0.08


def test_among_many_more_candidates_it_is_better_than_the_plain_bound_only() -> None:
    # A pick among 2000 is more extreme than any that a log of 300 rows can replay: a third of the
    # searches exceed the budget here. It is why a winner is measured before it is certified.
    searched, plain = shares(300, 0.04, candidates=2000)
    assert 0.05 < searched.mean() < 0.45 < plain.mean()


def test_it_is_never_tighter_than_the_plain_bound() -> None:
    for seed in range(5):
        ratios, predicted, rows = pool(60, 0.0, np.random.default_rng(seed))
        _, plain = ratio_bounds(ratios, 0.95)
        factor = search_factor(ratios, predicted, rows, confidence=0.95)
        assert plain <= factor <= ratios.max() + 1e-12


def test_too_few_rows_for_the_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="'confidence' 0.95 needs at least 19 measured rows"):
        search_factor(np.ones(10), np.ones(10), np.ones((10, 1)), confidence=0.95)
