"""This module checks all rows together: a drifting machine, and units that differ by row."""

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from profilers.audit.problem import Problem, describe_lines
from profilers.audit.residuals import Unexplained
from profilers.audit.row_order import MIN_ROWS, OrderEffect, Span, is_sorted, order_effect
from profilers.log.log_rows import Rows
from profilers.measuring.intervals import lag1_correlation

_MAX_SENTINEL_SPREAD = 0.05
_MIN_ROWS_FOR_SENTINEL = 8
_LEAST_TAKEN_OUT = 0.5  # of a drift, for it to be corrected
# A span that is further off is a problem. Points are measured to 2 %, and the error of good
# predictors is about as large. A fit would take a larger offset for a property of architectures.
MAX_OFFSET = 0.03
_SHOWN_SPANS = 4
_LEAST_OFFSET = 0.01

_FACTORS = {
    -inf: "more than 200 times below",
    -2.0: "about 1 000 000 times below, like seconds among microseconds,",
    -1.0: "about 1000 times below, like seconds among milliseconds,",
    1.0: "about 1000 times above, like microseconds among milliseconds,",
    2.0: "about 1 000 000 times above, like nanoseconds among milliseconds,",
    inf: "more than 200 times above",
}


def wandering_sentinel(rows: Rows) -> tuple[list[Problem], str]:
    """Return what it means that the sentinel drifts: neighbouring readings resemble each other.

    It is a problem when the latencies keep the drift. When most of it is taken out of them, it is
    a note, because what remains is seen in their order, see `drift_in_order`.

    Args:
        rows: The rows of a log of `automoe profile`, in the order in which they were measured.

    Returns:
        The problem, if there is one, and the note, which is empty when there is none.
    """
    read = np.flatnonzero(rows.numbers("sentinel_ms") > 0)
    sentinel_ms = rows.numbers("sentinel_ms")[read].tolist()
    if len(sentinel_ms) < _MIN_ROWS_FOR_SENTINEL:
        return [], ""
    spread = max(sentinel_ms) / min(sentinel_ms) - 1
    correlation = lag1_correlation(sentinel_ms)
    if spread <= _MAX_SENTINEL_SPREAD or correlation <= 2 / sqrt(len(sentinel_ms)):
        return [], ""
    message = (
        f"the sentinel drifted by {spread:.0%} over the session (lag-1 correlation "
        f"{correlation:.2f})"
    )
    share = _share_taken_out(rows, read)
    if share >= _LEAST_TAKEN_OUT:
        return [], f"{message}; {min(share, 1):.0%} of that is taken out of the latencies"
    usual = median(sentinel_ms)
    limit = _MAX_SENTINEL_SPREAD / 2
    is_off = np.abs(np.array(sentinel_ms) / usual - 1) > limit
    off = rows.lines()[read[is_off]].tolist()
    message += f"; more than {limit:.1%} off its median"
    remedy = "find what changed (`automoe doctor`), then measure again into another log"
    return Problem.at(off, "drift", "problem", message=message, remedy=remedy), ""


def _share_taken_out(rows: Rows, read: NDArray[np.intp]) -> float:
    """Return the share of the sentinel's movement by which the latencies are corrected."""
    columns = ("sentinel_ms", "raw_latency_ms", "latency_ms")
    values = np.column_stack([rows.numbers(name)[read] for name in columns])
    sentinel, raw, latency = np.log(values[(values > 0).all(axis=1)]).T
    moved = sentinel - sentinel.mean() if len(sentinel) else sentinel
    power = float(moved @ moved)
    return float(moved @ (raw - latency)) / power if power > 0 else 0.0


def mixed_units(rows: Rows, factors: NDArray[np.float64]) -> list[Problem]:
    """Return problems of rows that are far off, such as by a factor of 1000.

    Args:
        rows: The rows.
        factors: The number of factors of 1000 by which each row is off, see `Unexplained`.
    """
    problems = []
    for factor, far_off in _FACTORS.items():
        lines = rows.lines()[factors == factor].tolist() if len(rows) else []
        message = f"{len(lines)} latencies are {far_off} what the other rows make likely"
        remedy = "bring them to milliseconds, or delete the lines"
        problems += Problem.at(lines, "unit", "problem", message=message, remedy=remedy)
    return problems


def swapped_rows(
    rows: Rows, targets: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> list[Problem]:
    """Return a problem for each pair of rows whose latencies seem to be exchanged.

    Args:
        rows: The rows.
        targets: The columns whose sum is the latency.
        pairs: The positions of the two rows of each pair.
    """
    problems = []
    for pair in dict.fromkeys(tuple(sorted(pair)) for pair in pairs):
        first, second = (rows[place] for place in pair)
        values = [f"{sum(row.number(x) for x in targets):.4g}" for row in (first, second)]
        message = (
            f"the latencies {values[0]} and {values[1]} seem to be exchanged: each is far from "
            f"what the other rows make likely, and each would be usual in the other's line"
        )
        remedy = "exchange them, or measure both again"
        lines = (first.line, second.line)
        problems += Problem.at(lines, "swapped", "problem", message=message, remedy=remedy)
    return problems


def drift_in_order(
    rows: Rows, left: Unexplained, features: Mapping[str, NDArray[np.float64]]
) -> list[Problem]:
    """Return a problem when the residuals depend on the order of measuring.

    When the rows are sorted by a feature, a drift and an error of the prediction look the same.
    Then the problem is not called a drift.

    Args:
        rows: The rows in the order in which they were measured.
        left: What the features leave unexplained.
        features: The features from which the latency was predicted, by name.
    """
    if len(rows) < MIN_ROWS or not features:
        return []
    order = {name: _sortedness(values) for name, values in features.items()}
    sorted_by = {name: value for name, value in order.items() if value is not None}
    effect = order_effect(left.prediction, left.residuals, is_shuffled=not sorted_by)
    if not effect.is_significant:
        return []
    return [_sorted_rows(effect, sorted_by) if sorted_by else _drift(rows, effect)]


def _sortedness(values: NDArray[np.float64]) -> float | None:
    """Return the largest correlation of a feature with its order, see `is_sorted`."""
    columns = values.T if values.ndim == 2 else [values]
    return max((x for x in map(is_sorted, columns) if x is not None), default=None)


def _sorted_rows(effect: OrderEffect, sorted_by: Mapping[str, float]) -> Problem:
    name = max(sorted_by, key=lambda name: sorted_by[name])
    message = (
        f"the rows are ordered by {name!r} (lag-1 correlation {sorted_by[name]:.2f}), so a drift "
        f"of the machine cannot be told from an effect of the features (residuals: "
        f"{effect.correlation:.2f})"
    )
    remedy = "measure in random order to tell them apart"
    return Problem("order", "warning", message, remedy)


def _drift(rows: Rows, effect: OrderEffect) -> Problem:
    shown = [span for span in effect.spans if abs(span.offset) > _LEAST_OFFSET]
    bad = [span for span in shown if abs(span.offset) > MAX_OFFSET]
    named = bad or shown
    evidence = f"lag-1 correlation {effect.correlation:.2f}, p = {effect.p_value:.2g}"
    message = f"what the features leave unexplained depends on the measuring order ({evidence})"
    if named:
        message += f"; against {_place(rows, effect.reference)}: {_offsets(rows, named)}"
    lines = tuple(sorted({line for span in named for line in _lines(rows, span)}))
    if bad:
        remedy = "measure these lines again, or delete them and fit the rest"
        return Problem("drift", "problem", message, remedy, lines)
    remedy = "nothing to do: a bound from this log covers a change that is so small"
    return Problem("drift", "warning", message, remedy, lines)


def _offsets(rows: Rows, spans: Sequence[Span]) -> str:
    worst = sorted(spans, key=lambda span: -abs(span.offset) * sqrt(span.stop - span.start))
    texts = [f"{_place(rows, span)} by {span.offset:+.1%}" for span in worst[:_SHOWN_SPANS]]
    more = len(spans) - len(texts)
    return "; ".join(texts) + (f"; {more} more spans" if more else "")


def _place(rows: Rows, span: Span) -> str:
    return describe_lines(sorted(_lines(rows, span)), shown=2)


def _lines(rows: Rows, span: Span) -> list[int]:
    return [int(line) for line in rows.lines()[span.start : span.stop]]
