"""This module finds columns that copy the latency in another form.

Such a form is a logarithm, a rank, a bucket, a scaled value, or a sum of the latency and an input.
A copy holds the noise of the latency, and an input cannot. So a column is taken for a copy when two
things are true. The other columns explain the latency and the column but for a noise, and the
column tells what is left of the latency. A column that follows from the others as well as the
latency does, such as a number of FLOPs, is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.features import FeatureSchema
from predictors.formulas import follows_by_formula
from predictors.ordered_columns import OrderedColumn, ordered_columns
from predictors.signs_of_results import CLOSE, EXPLAINED, SHARE
from predictors.unexplained import FLOOR, alike_rows, drawn_rows, spread_of, unexplained

Vector = NDArray[np.float64]

_MOST_ROWS = 300
_LEAST_ROWS = 20
_LEAST_NOISE = 0.002  # latencies that are explained better than this need no other explanation
_LEAST_MISPLACED = 4  # rows that are in their buckets by the noise of the latency alone
_LEAST_ALIKE = 8  # rows beside the first one of each group
_TELLING = 0.75  # the least correlation of a bucket and of what the other columns explain
_WIDE = 4  # a gap between two buckets is wide when it is so many times as wide as its neighbours
_NEAR = 6  # the neighbours of a gap on each side
_EXACT = 0.01  # of what the other columns leave of a column, the latency may leave so much


@dataclass(frozen=True, slots=True)
class _Combination:
    """A combination of the latency and other columns that a column is.

    Attributes:
        reason: What it is, in words.
        is_noisy: Whether the other columns explain the column but for the noise of the latency.
            Otherwise it may be an input from which the latency follows.
    """

    reason: str
    is_noisy: bool


def copies(
    frame: pd.DataFrame,
    schema: FeatureSchema,
    latency_ms: Vector,
    targets: Sequence[str],
) -> dict[str, str]:
    """Return the features that copy the latency, with the reason for each.

    Args:
        frame: The usable rows.
        schema: The features by their names.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
    """
    frame, latency_ms = drawn_rows(frame, latency_ms, most=_MOST_ROWS)
    y = np.log(latency_ms)
    if len(frame) < _LEAST_ROWS or not (columns := ordered_columns(frame, schema, y, targets)):
        return {}
    matrix, owner = schema.own_matrix(frame)
    near = {x.name for x in columns if x.is_in_order}
    known = matrix[:, [name not in near for name in owner]]
    reasons = {
        x.name: reason for x in columns if x.name in near and (reason := _by_order(x, y, known))
    }
    for column in reversed(columns):  # where two may be the result, it is the one written later
        if column.name in reasons or not column.is_measured:
            continue
        beside = matrix[:, [name not in {column.name, *reasons} for name in owner]]
        combination = _combination(column, y, beside)
        if combination is None:
            continue
        if not combination.is_noisy:
            break  # the columns before it are perhaps parts of the same combination
        reasons[column.name] = combination.reason
    return reasons


def in_order(
    frame: pd.DataFrame, schema: FeatureSchema, latency_ms: Vector, targets: Sequence[str]
) -> tuple[str, ...]:
    """Return the features whose names say nothing and that put all rows in the latency's order.

    Their values do not tell whether they are copies or inputs that explain the latency well.

    Args:
        frame: The usable rows.
        schema: The features that are used.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
    """
    frame, latency_ms = drawn_rows(frame, latency_ms, most=_MOST_ROWS)
    y = np.log(latency_ms)
    if len(frame) < _LEAST_ROWS:
        return ()
    columns = ordered_columns(frame, schema, y, targets)
    return tuple(x.name for x in columns if x.is_in_order and _has_usual_gaps(x, y))


def _by_order(column: OrderedColumn, y: Vector, known: NDArray[np.float64]) -> str:
    """Return a reason when the order of a column tells the noise of the latency."""
    left_of_y, left_of_column = unexplained(
        known, np.column_stack([y, column.logs]), is_smooth=True
    ).T
    latency, own = spread_of(left_of_y), spread_of(left_of_column)
    if not _LEAST_NOISE < latency < EXPLAINED * spread_of(y):
        return ""
    if not column.is_measured:
        is_bucket = column.is_in_order and _is_bucket(column, y, y - left_of_y, known)
        return "it divides the rows by their latency" if is_bucket else ""
    quotient = spread_of(y - column.logs)
    is_near = quotient < min(SHARE * latency, SHARE * own, CLOSE) and own > EXPLAINED * latency
    if is_near and not follows_by_formula(known, column.values):
        return "it follows the order of the latency more closely than the other columns explain"
    return ""


def _is_bucket(
    column: OrderedColumn, y: Vector, explained: Vector, known: NDArray[np.float64]
) -> bool:
    """Return whether rows are in the buckets of a column by the noise of the latency.

    The other columns must explain the buckets but for some rows, and no column alone may tell them.

    Args:
        column: A column in the order of the latency.
        y: The logarithms of the latencies.
        explained: What the other columns explain of `y`.
        known: The other columns, shape (rows, columns).
    """
    if np.corrcoef(explained, column.logs)[0, 1] < _TELLING or not _has_usual_gaps(column, y):
        return False
    means = np.unique(column.logs)
    level = np.searchsorted(means, column.logs)
    lowest = np.array([y[level == i].min() for i in range(1, len(means))])
    highest = np.array([y[level == i].max() for i in range(len(means) - 1)])
    place = np.searchsorted((lowest + highest) / 2, explained)
    if (place != level).sum() < _LEAST_MISPLACED:
        return False
    return not any(_tells(group, level) for group in (alike_rows(known), *_groups(known)))


def _groups(known: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the levels of the columns with at least three rows a level."""
    groups = [np.unique(column, return_inverse=True)[1].ravel() for column in known.T]
    return [group for group in groups if 3 * (group.max() + 1) <= len(group)]


def _tells(group: NDArray[np.int64], level: NDArray[np.int64]) -> bool:
    """Return whether the rows of each group are in one bucket, where there are rows enough."""
    n_groups = len(np.unique(group))
    n_pairs = len(np.unique(np.column_stack([group, level]), axis=0))
    return len(group) - n_groups >= _LEAST_ALIKE and n_pairs == n_groups


def _has_usual_gaps(column: OrderedColumn, y: Vector) -> bool:
    """Return whether latencies are as dense between the levels of a column as beside them.

    Levels of an input that changes the latency lie apart or overlap.
    """
    order = np.lexsort((y, column.logs))
    gaps = np.diff(y[order])
    edges = np.flatnonzero(np.diff(column.logs[order]) > FLOOR)
    wide = 0
    for edge in edges:
        around = gaps[max(0, edge - _NEAR) : edge + _NEAR + 1]
        usual = (around.sum() - gaps[edge]) / max(len(around) - 1, 1)
        wide += gaps[edge] > _WIDE * usual
    return bool(2 * wide <= len(edges))


def _combination(
    column: OrderedColumn, y: Vector, beside: NDArray[np.float64]
) -> _Combination | None:
    """Return what makes a column of the latency and the others; None when nothing does.

    Args:
        column: The column.
        y: The logarithms of the latencies.
        beside: The other columns, shape (rows, columns).
    """
    # Of equal rows one is kept, because they explain each other.
    once = np.unique(np.column_stack([beside, column.values]), axis=0, return_index=True)[1]
    values, y, beside = column.values[once], y[once], beside[once]
    if (left := _left_by_sum(values, np.exp(y), beside)) is not None:
        return _sum_with_noise("plus", left, values, y, beside)
    positive = [x for x in beside.T if (x > 0).all()]
    if (values <= 0).any() or not positive:
        return None
    levels = [_is_level(group, x) for group in _groups(beside) for x in range(1, group.max() + 1)]
    factors = np.column_stack([*map(np.log, positive), *levels])
    if (left := _left_by_sum(np.log(values), y, factors)) is not None:
        return _sum_with_noise("times", left, np.log(values), y, beside)
    return None


def _is_level(group: NDArray[np.int64], level: int) -> Vector:
    return np.asarray(group == level, dtype=float)


def _left_by_sum(values: Vector, latency: Vector, terms: NDArray[np.float64]) -> float | None:
    """Return what a multiple of the latency and of each term leaves of values; None for much.

    Args:
        values: The values, shape (rows,).
        latency: The latency, shape (rows,).
        terms: The terms, shape (rows, terms).
    """
    others = np.column_stack([np.ones(len(values)), terms])
    if 3 * others.shape[1] > len(values):
        return None
    without = _left_by(others, values)
    within = _left_by(np.column_stack([others, latency]), values)
    is_sum = without > FLOOR * np.abs(values).max() and within < _EXACT * without
    return within if is_sum else None


def _sum_with_noise(
    sign: str, left: float, values: Vector, y: Vector, beside: NDArray[np.float64]
) -> _Combination | None:
    """Return the combination that values are; None when they do not hold the latency's noise.

    Args:
        sign: How the latency is combined with the other columns, in a word.
        left: What the combination leaves of the values, a standard deviation.
        values: The values, or their logarithms for a product, shape (rows,).
        y: The logarithms of the latencies, shape (rows,).
        beside: The other columns, shape (rows, columns).
    """
    both = np.column_stack([y, values])
    noise, own = map(spread_of, unexplained(beside, both, is_smooth=True).T)
    is_explained = own <= EXPLAINED * spread_of(values)
    has_noise = _LEAST_NOISE < noise < EXPLAINED * spread_of(y)
    if is_explained and has_noise and left > SHARE * own:
        return None  # such as a number of FLOPs, which explains the latency but for the noise
    is_noisy = is_explained and has_noise and not follows_by_formula(beside, values)
    reason = f"it is the latency {sign} what follows from the other columns"
    return _Combination(reason, is_noisy)


def _left_by(table: NDArray[np.float64], values: Vector) -> float:
    """Return the standard deviation of what a linear combination of columns leaves of values."""
    scaled = table / np.maximum(np.abs(table).max(axis=0), FLOOR)
    weights, *_ = np.linalg.lstsq(scaled, values, rcond=None)
    return float(np.std(values - scaled @ weights))
