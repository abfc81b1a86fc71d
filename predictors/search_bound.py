"""An upper bound that still holds for what a search picks.

A search returns the best candidate whose bound is within the budget. Among candidates of one
prediction, those that the model underestimates are larger, therefore better, therefore picked: a
bound that covers 95 % of all rows covers fewer of the picks. How many fewer depends on how the
model's errors go along with what the search maximises, which is unknown here. So every column of
the features is tried as that: searches are replayed on rows with their unseen predictions, and
the bound is widened until, whichever column is maximised, enough picks are within the budget.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from predictors.conformal import ratio_bounds

_REPLAYS = 20
_BUDGETS = np.linspace(0.1, 0.9, 20)
_MAX_POOL = 300
_STEPS = np.linspace(0.0, 1.0, 41)


def search_factor(
    ratios: NDArray[np.float64],
    unseen_ms: NDArray[np.float64],
    rows: NDArray[np.float64],
    *,
    confidence: float,
) -> float:
    """What to multiply a prediction by, so that a search's pick is within its budget.

    Args:
        ratios: Actual over unseen prediction, shape (rows,).
        unseen_ms: Unseen predictions, shape (rows,).
        rows: The features, shape (rows, columns).
        confidence: The share of picks that shall be within the budget.

    Returns:
        At least the plain upper bound; at most the largest ratio.

    Raises:
        ValueError: As `ratio_bounds`.
    """
    _, plain = ratio_bounds(ratios, confidence)
    most = max(plain, float(ratios.max()))
    searches = list(_searches(ratios, unseen_ms, rows))
    for step in _STEPS:
        factor = float(plain * (most / plain) ** step)
        if _worst_share(searches, factor, rows.shape[1]) <= 1 - confidence:
            return factor
    return most


def _searches(
    ratios: NDArray[np.float64], unseen_ms: NDArray[np.float64], rows: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Column, then predictions, actual latencies and budgets of a pool, best candidate first."""
    rng = np.random.default_rng(0)
    size = min(_MAX_POOL, max(2, len(ratios) // 2))
    varied = np.flatnonzero(np.ptp(rows, axis=0) > 0)
    for _ in range(_REPLAYS):
        pool = rng.choice(len(ratios), size, replace=False)
        budgets = np.quantile(unseen_ms[pool], _BUDGETS)
        for column in varied:
            best_first = pool[np.lexsort((-unseen_ms[pool], -rows[pool, column]))]
            predicted = unseen_ms[best_first]
            yield int(column), predicted, predicted * ratios[best_first], budgets


def _worst_share(
    searches: list[tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]],
    factor: float,
    n_columns: int,
) -> float:
    """The share of picks over their budget, for the column where it is largest."""
    over, picks = np.zeros(n_columns), np.zeros(n_columns)
    for column, predicted, actual, budgets in searches:
        fits = predicted[None, :] * factor <= budgets[:, None]
        has_pick = fits.any(axis=1)
        picked = fits.argmax(axis=1)[has_pick]
        over[column] += np.count_nonzero(actual[picked] > budgets[has_pick])
        picks[column] += np.count_nonzero(has_pick)
    return float(np.max(over / np.maximum(picks, 1), initial=0.0))
