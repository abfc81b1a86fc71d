"""Whether a series depends on its order, and where its level differs: tests by shuffling.

Values that come in no particular order can be shuffled without changing what they tell. So what
the real order shows is compared with what the same values show in random orders. That needs no
assumption on their distribution, and the shuffles are seeded: the same series, the same verdict.

SciPy does the shuffling. Its rank tests against the order (`spearmanr`, `kendalltau`) see what
rises or falls all along, and so do not replace the search for stretches: of 40 series of 200 rows
in which 30 rows within were one standard deviation slower, they accused one and the two tests
here 24; of 40 waves 34 and 40. In a single step or a trend they accused 36 where these accuse
33, which is the price. Nor do they say where a stretch is, which rows to measure again.
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
_LEVEL = 0.01  # each of the two tests; both together accuse 2 % of sound logs at most
_CLIP = 3.0  # robust standard deviations: one outlier is no span
_SHORTEST = 5  # rows of a span
_GRID = 4000  # span ends that are tried; a longer series is tried at every second row, or third
_SORTED_CORRELATION = 0.1
_SORTED_DEVIATIONS = 2.5

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of rows whose level differs from the longest stretch.

    Attributes:
        start: Its first position.
        stop: The position after its last.
        offset: By how much, as a share: 0.1 is 10 % slower.
    """

    start: int
    stop: int
    offset: float


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """What a series shows in its order.

    Attributes:
        correlation: Of each value with the one before, outliers clipped; 0 for noise.
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
        """Whether shuffled values hardly ever look like this."""
        return bool(self.spans) or self.p_value <= _LEVEL


def order_effect(residuals: Sequence[float], *, seed: int = 0) -> OrderEffect:
    """Test residuals of log(latency) in the order they were measured.

    The stretches minimise the squared error plus a penalty for each (optimal partitioning,
    Jackson et al. 2005). The penalty is what a cut gains in at most 1 % of shuffles.

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
    """The lag-1 correlation of a feature when its rows do not come in random order, else None."""
    series = np.asarray(values, dtype=np.float64)
    if series.std() <= 1e-9 * np.abs(series).max():  # constant but for rounding
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
    """What a statistic of the values is in their order, and what it is in random orders."""
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
    """The squared error that stretches explain at best, per cut: one cut, or two around a bump."""
    n = len(values)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    sizes = np.arange(_SHORTEST, n - _SHORTEST + 1)
    gains = [_gain(sums[sizes], sizes, n).max()]
    for width in _widths(n):
        inside = sums[width:] - sums[:-width]
        gains.append(_gain(np.abs(inside).max(), width, n) / 2)
    return float(max(gains))


def _gain(inside: Any, size: Any, n: int) -> Any:
    """The squared error that one part of the values explains, when all values sum to zero.

    Args:
        inside: The sum of the part.
        size: How many values it holds.
        n: How many values there are.
    """
    return inside**2 / size + inside**2 / (n - size)


def _widths(n: int) -> list[int]:
    """From the shortest stretch to half of all rows, each a fifth wider than the one before."""
    widths = [_SHORTEST]
    while widths[-1] * 1.2 + 1 < n / 2:
        widths.append(int(widths[-1] * 1.2) + 1)
    return widths


def _partition(values: Vector, *, penalty: float) -> list[int]:
    """The ends of the stretches, from 0 to the length."""
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
