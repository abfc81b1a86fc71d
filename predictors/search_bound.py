"""This module computes an upper bound that also holds for the candidates that a search picks.

A search returns the best candidate whose bound is within the budget. Among candidates with equal
predictions, the model underestimates the larger ones. These are often better, so the search picks
them. A bound that covers 95 % of all rows therefore covers fewer of the picks. How many fewer
depends on how the model's errors are related to what the search maximises, and that is unknown
here. So each column of the features is tried in its place. Searches are replayed on rows with
their unseen predictions, and the bound is widened until enough picks are within the budget for
every column.
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
    """Return the factor from a prediction to an upper bound that holds for a search's pick.

    Args:
        ratios: The actual over the predicted latency of unseen rows, shape (rows,).
        unseen_ms: The predictions for unseen rows in milliseconds, shape (rows,).
        rows: The features, shape (rows, columns).
        confidence: The share of picks that shall be within the budget.

    Returns:
        A factor between the plain upper bound and the largest ratio.

    Raises:
        ValueError: The confidence is not between 0 and 1, or too high for so few ratios.
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
    """Yield the column, the predictions, the actual latencies and the budgets of each search.

    Predictions and latencies are ordered with the best candidate first.
    """
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
    """Return the share of picks over their budget, for the column with the largest share."""
    over, picks = np.zeros(n_columns), np.zeros(n_columns)
    for column, predicted, actual, budgets in searches:
        fits = predicted[None, :] * factor <= budgets[:, None]
        has_pick = fits.any(axis=1)
        picked = fits.argmax(axis=1)[has_pick]
        over[column] += np.count_nonzero(actual[picked] > budgets[has_pick])
        picks[column] += np.count_nonzero(has_pick)
    return float(np.max(over / np.maximum(picks, 1), initial=0.0))
