"""This module tests by shuffling whether a series depends on its order, and where it changes.

When the order of values has no meaning, shuffling them changes nothing. So a statistic of the
real order is compared with the same statistic of random orders. This assumes nothing about the
distribution of the values. The shuffles are seeded, so that the same series has the same verdict.

SciPy does the shuffling. Its rank tests against the order (`spearmanr`, `kendalltau`) detect a
rise or a fall over the whole series. They do not replace the search for stretches. Of 40 series
of 200 rows in which 30 rows in the middle were one standard deviation slower, they detected one,
and the two tests here 24. Of 40 waves they detected 34, and the tests here 40. Of 40 series with
a single step or a trend they detected 36, and the tests here only 33. But the rank tests do not
tell where a stretch is, and so which rows to measure again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.measuring.intervals import lag1_correlation

MIN_ROWS = 30
_SHUFFLES = 499
_LEVEL = 0.01  # of each of the two tests: together they accuse at most 2 % of sound logs
_CLIP = 3.0  # robust standard deviations; a single outlier is not a span
_SHORTEST = 5  # rows of a span
_GRID = 4000  # ends of spans that are tried; in a longer series only every second or third row
_SORTED_CORRELATION = 0.1
_SORTED_DEVIATIONS = 2.5

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of rows at one level.

    Attributes:
        start: The position of its first row.
        stop: The position after its last row.
        offset: Its level against that of the longest stretch, as a share: 0.1 is 10 % slower.
    """

    start: int
    stop: int
    offset: float


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """The dependence of a series on its order.

    Attributes:
        correlation: The correlation of each value with the one before it, after outliers are
            clipped. It is 0 for noise.
        p_value: The share of shuffles with a correlation as high.
        reference: The longest stretch at one level.
        spans: The other stretches, in order; empty when the level is the same everywhere.
    """

    correlation: float
    p_value: float
    reference: Span
    spans: tuple[Span, ...]

    @property
    def is_significant(self) -> bool:
        """Return whether shuffled values show such an effect in at most 1 % of cases."""
        return bool(self.spans) or self.p_value <= _LEVEL


def order_effect(residuals: Sequence[float], *, seed: int = 0) -> OrderEffect:
    """Test whether residuals of log(latency) depend on the order in which they were measured.

    The stretches minimise the squared error plus a penalty for each stretch (optimal partitioning,
    Jackson et al. 2005). A cut of shuffled values gains more than the penalty in 1 % of cases.

    Raises:
        ValueError: There are fewer than 30 residuals.
    """
    values = np.asarray(residuals, dtype=np.float64)
    if len(values) < MIN_ROWS:
        raise ValueError(
            f"'residuals' must hold at least {MIN_ROWS} values. Got {len(values)}. "
            f"Measure more rows."
        )
    clipped = _standardised(values)
    memory = _shuffled(clipped, lag1_correlation, seed)
    penalty = np.quantile(_shuffled(clipped, _best_gain, seed).null_distribution, 1 - _LEVEL)
    reference, spans = _spans(values, _partition(clipped, penalty=float(penalty)))
    return OrderEffect(float(memory.statistic), float(memory.pvalue), reference, spans)


def is_sorted(values: Sequence[float]) -> float | None:
    """Return the lag-1 correlation of a feature whose values are not in random order.

    Return None when they are in random order or constant.
    """
    series = np.asarray(values, dtype=np.float64)
    if series.std() <= 1e-9 * np.abs(series).max():  # constant except for rounding
        return None
    correlation = lag1_correlation(series)
    limit = max(_SORTED_CORRELATION, _SORTED_DEVIATIONS / len(series) ** 0.5)
    return correlation if correlation > limit else None


def _standardised(values: Vector) -> Vector:
    centred = values - np.median(values)
    scale = 1.4826 * float(np.median(np.abs(centred))) or float(centred.std())
    if scale == 0:
        return centred
    clipped: Vector = np.clip(centred / scale, -_CLIP, _CLIP)
    return clipped - float(clipped.mean())


def _shuffled(values: Vector, statistic: Callable[[Vector], float], seed: int) -> Any:
    """Return SciPy's result: a statistic of the values in their order and in random orders."""
    # Imported here because it takes a second, and most uses of this package need no check.
    from scipy.stats import permutation_test

    return permutation_test(
        (values,),
        statistic,
        permutation_type="pairings",
        vectorized=False,
        n_resamples=_SHUFFLES,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )


def _best_gain(values: Vector) -> float:
    """Return the largest squared error per cut that stretches remove.

    One cut makes two stretches, two cuts separate a stretch in the middle.
    """
    n = len(values)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    sizes = np.arange(_SHORTEST, n - _SHORTEST + 1)
    gains = [_gain(sums[sizes], sizes, n).max()]
    for width in _widths(n):
        inside = sums[width:] - sums[:-width]
        gains.append(_gain(np.abs(inside).max(), width, n) / 2)
    return float(max(gains))


def _gain(inside: Any, size: Any, n: int) -> Any:
    """Return the squared error that is removed when a part of the values gets its own level.

    All values together must sum to zero.

    Args:
        inside: The sum of the values in the part.
        size: The number of values in the part.
        n: The number of all values.
    """
    return inside**2 / size + inside**2 / (n - size)


def _widths(n: int) -> list[int]:
    """Return widths from the shortest stretch to half of all rows, each a fifth wider."""
    widths = [_SHORTEST]
    while widths[-1] * 1.2 + 1 < n / 2:
        widths.append(int(widths[-1] * 1.2) + 1)
    return widths


def _partition(values: Vector, *, penalty: float) -> list[int]:
    """Return the ends of the best stretches, from 0 to the number of values."""
    step = -(-len(values) // _GRID)
    grid = np.append(np.arange(0, len(values), step), len(values))
    sums = np.concatenate(([0.0], np.cumsum(values)))[grid]
    best = np.zeros(len(grid))
    previous = np.zeros(len(grid), dtype=np.int64)
    for end in range(1, len(grid)):
        n_starts = int(np.searchsorted(grid, grid[end] - _SHORTEST, side="right"))
        if n_starts == 0:
            best[end] = np.inf
            continue
        explained = (sums[end] - sums[:n_starts]) ** 2 / (grid[end] - grid[:n_starts])
        costs = best[:n_starts] - explained + penalty
        previous[end] = int(costs.argmin())
        best[end] = costs[previous[end]]
    cuts = [len(grid) - 1]
    while cuts[-1] > 0:
        cuts.append(int(previous[cuts[-1]]))
    return [int(grid[cut]) for cut in reversed(cuts)]


def _spans(values: Vector, cuts: Sequence[int]) -> tuple[Span, tuple[Span, ...]]:
    pairs = list(pairwise(cuts))
    start, stop = max(pairs, key=lambda pair: pair[1] - pair[0])
    level = float(np.median(values[start:stop]))
    return Span(start, stop, 0.0), tuple(
        Span(first, last, float(np.expm1(np.median(values[first:last]) - level)))
        for first, last in pairs
        if first != start
    )
