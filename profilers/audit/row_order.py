"""This module tests whether a series depends on its order, and finds where it changes.

The residuals of log(latency) are compared with what independent noise can do: an even rise or fall,
any stretch at a level of its own, and neighbours that resemble each other. Each comparison is in
standard deviations, and the limit is so high that noise exceeds it in one of 30 000 logs. Outliers
are brought to three deviations before, so the noise may have any distribution.

Where the rows are in random order, an even rise is compared with the rises of shuffled rows. So it
does not matter whether the features explain the latency well. Where the rows are sorted, rows of
like features follow each other, and large residuals come in clusters. So a stretch is compared with
the size of its own residuals.

SciPy's rank tests against the order (`spearmanr`, `kendalltau`) detect a rise or a fall over the
whole series. They do not tell where a stretch is, and so which rows to measure again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from profilers.audit.gaussian_process import Prediction
from profilers.measuring.intervals import lag1_correlation

MIN_ROWS = 20
_LEVEL = 3e-5  # the share of sound logs that are accused
_TESTS = 3
_CLIP = 3.0  # robust standard deviations; a single outlier is not a span
_SHORTEST = 5  # rows of a span
_PENALTY = 1.6  # of a span, in logarithms of the number of rows
_MOST_ENDS = 800  # ends of spans that are tested
_GRID = 4000  # ends of spans that are told; in a longer series only every second or third row
_SPANS_PER_ROW = 2.0  # independent spans that end in one row; finer ones resemble each other
_SORTED_CORRELATION = 0.1
_SURELY_SORTED = 0.6  # however few the rows are
_SORTED_DEVIATIONS = 3.5  # one of several features of random order reaches less by chance

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
        p_value: The share of series without such an effect that would show as strong a one.
        reference: The longest stretch at one level.
        spans: The other stretches, in order; empty when the level is the same everywhere.
    """

    correlation: float
    p_value: float
    reference: Span
    spans: tuple[Span, ...]

    @property
    def is_significant(self) -> bool:
        """Return whether noise shows such an effect in at most one of 30 000 logs."""
        return self.p_value <= _LEVEL


def order_effect(
    prediction: Prediction, residuals: Vector | None = None, *, is_shuffled: bool = True
) -> OrderEffect:
    """Test whether residuals of log(latency) depend on the order in which they were measured.

    With the precision of the prediction, the test knows which part of a drift the features can
    imitate. The stretches minimise the squared error plus a penalty for each stretch (optimal
    partitioning, Jackson et al. 2005).

    Args:
        prediction: The prediction of log(latency), with the rows in the order of measuring.
        residuals: The residuals whose levels are told, if they are not those of the prediction.
        is_shuffled: Whether the rows are in random order: no feature is sorted.

    Raises:
        ValueError: There are fewer than 20 residuals.
    """
    n = len(prediction.residuals)
    if n < MIN_ROWS:
        raise ValueError(
            f"'residuals' must hold at least {MIN_ROWS} values. Got {n}. Measure more rows."
        )
    values = prediction.residuals if residuals is None else residuals
    clipped = _standardised(values)
    correlation = lag1_correlation(clipped)
    rise, stretch = _deviations(prediction, clipped, is_shuffled=is_shuffled)
    excess = _excess(prediction) if is_shuffled else 1.0
    tails = prediction.tail(np.array([correlation * n**0.5, rise, stretch / excess]))
    if is_shuffled:  # as in a test of Pearson's correlation
        tails[1] = replace(prediction, freedom=n - 2.0).tail(rise / excess)
    p_value = min(1.0, _TESTS * float((tails * [1, 2, 2 * _SPANS_PER_ROW * n]).min()))
    reference, spans = Span(0, n, 0.0), tuple[Span, ...]()
    if p_value <= _LEVEL:
        reference, spans = _spans(values, _partition(clipped, penalty=_PENALTY * np.log(n)))
    return OrderEffect(correlation, p_value, reference, spans)


def is_sorted(values: Sequence[float]) -> float | None:
    """Return the lag-1 correlation of a feature whose values are not in random order.

    Return None when they are in random order, or constant except for fewer than five rows.
    """
    series = np.asarray(values, dtype=np.float64)
    if series.std() <= 1e-9 * np.abs(series).max():  # constant except for rounding
        return None
    if (series != np.median(series)).sum() < _SHORTEST:
        return None
    correlation = lag1_correlation(series)
    by_chance = _SORTED_DEVIATIONS / len(series) ** 0.5
    limit = min(max(_SORTED_CORRELATION, by_chance), _SURELY_SORTED)
    return correlation if correlation > limit else None


def _standardised(values: Vector) -> Vector:
    centred = values - np.median(values)
    scale = 1.4826 * float(np.median(np.abs(centred))) or float(centred.std())
    if scale == 0:
        return centred
    clipped: Vector = np.clip(centred / scale, -_CLIP, _CLIP)
    clipped -= float(clipped.mean())
    return clipped / max(1.0, float(clipped.std()))


def _excess(prediction: Prediction) -> float:
    """Return the deviation of a sum over shuffled rows, in those that the prediction states.

    It is above 1 where the prediction is less sure than it says. A rise over all rows is taken out
    before, because shuffles have none.
    """
    if prediction.precision is None or prediction.scores is None:
        return 1.0
    n = len(prediction.scores)
    ramp = np.linspace(-0.5, 0.5, n)
    bent = prediction.precision @ ramp
    rest = prediction.scores - bent * (ramp @ prediction.scores) / (ramp @ bent)
    stated = float(np.trace(prediction.precision) - prediction.precision.sum() / n)
    return max(1.0, float(np.sqrt(n * rest.var() / stated)))


def _deviations(
    prediction: Prediction, clipped: Vector, *, is_shuffled: bool
) -> tuple[float, float]:
    """Return by how many deviations the strongest even rise and the strongest stretch stand out."""
    n = len(clipped)
    ends = np.unique(np.linspace(0, n, min(n, _MOST_ENDS) + 1).round().astype(int))
    ramp = np.linspace(-0.5, 0.5, n)
    scores = clipped if prediction.scores is None else prediction.scores
    if prediction.precision is None or prediction.scores is None:
        common = np.minimum.outer(ends, ends) - np.outer(ends, ends) / n
        rise = float(ramp @ clipped / np.sqrt(ramp @ ramp))
    else:
        edged = np.pad(prediction.precision, ((1, 0), (1, 0)))
        common = edged.cumsum(0).cumsum(1)[np.ix_(ends, ends)]
        weight = ramp @ prediction.precision @ ramp
        rise = float(ramp @ prediction.scores / np.sqrt(weight))
    sums = np.concatenate(([0.0], np.cumsum(scores)))[ends]
    own = np.diag(common)
    spread = own[:, None] + own[None, :] - 2 * common
    if not is_shuffled:
        squares = np.concatenate(([0.0], np.cumsum(scores**2)))[ends]
        np.maximum(spread, squares[None, :] - squares[:, None], out=spread)
    width = ends[None, :] - ends[:, None]
    is_span = (width >= _SHORTEST) & (width <= n - _SHORTEST) & (spread > 1e-9 * own.max())
    z_scores = np.abs(sums[None, :] - sums[:, None])[is_span] / np.sqrt(spread[is_span])
    return abs(rise), float(z_scores.max(initial=0.0))


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
