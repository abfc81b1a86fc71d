"""This module orders the latencies as each column orders the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.features import FeatureSchema
from predictors.table import numbers
from profilers.log.column_names import kind_of_name, words

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrderedColumn:
    """A column that may be a copy by its name.

    Attributes:
        name: Its name.
        values: Its numbers, or the places of its texts in the order of their latencies.
        logs: The logarithms of the latencies in the order of the column: the smallest stands at the
            smallest number. Rows with one number have their mean. Shape (rows,).
        is_in_order: Whether the column puts no row before one of a smaller latency.
        is_measured: Whether most of its numbers differ.
    """

    name: str
    values: Vector
    logs: Vector
    is_in_order: bool
    is_measured: bool


def ordered_columns(
    frame: pd.DataFrame, schema: FeatureSchema, y: Vector, targets: Sequence[str]
) -> list[OrderedColumn]:
    """Return the columns that no name clears, in the order of the schema."""
    cleared = schema.read_by_physics
    columns = []
    for feature in schema.features:
        is_rank = words(feature.name) == ("rank",)  # a rank of a matrix takes few values
        if not is_rank and kind_of_name(feature.name, targets) != "unclear":
            continue
        if feature.name in cleared or feature.kind not in ("numeric", "categorical"):
            continue
        values = _values(frame, feature.name, y, is_text=feature.kind == "categorical")
        n_levels = len(np.unique(values))
        if n_levels > 1 and (n_levels == len(y) or not is_rank):
            columns.append(_ordered(feature.name, values, y))
    return columns


def _values(frame: pd.DataFrame, name: str, y: Vector, *, is_text: bool) -> Vector:
    """Return the numbers of a column, or the places of its texts by their mean latencies."""
    if not is_text:
        return numbers(frame, name)
    codes, _ = pd.factorize(frame[name].astype(str))
    means = np.bincount(codes, y) / np.bincount(codes)
    return np.argsort(np.argsort(means)).astype(float)[codes]


def _ordered(name: str, values: Vector, y: Vector) -> OrderedColumn:
    """Return a column with the latencies in its order, or in the reverse one where that is nearer.

    Args:
        name: Its name.
        values: Its numbers.
        y: The logarithms of the latencies.
    """
    level = np.unique(values, return_inverse=True)[1].ravel()
    n_levels = int(level.max()) + 1
    both = []
    for place in (level, n_levels - 1 - level):
        order = np.lexsort((y, place))
        logs = np.empty(len(y))
        logs[order] = np.sort(y)
        is_in_order = bool((np.diff(y[order]) >= 0).all())
        means = np.bincount(place, logs, n_levels) / np.bincount(place, minlength=n_levels)
        both.append((np.abs(logs - y).sum(), not is_in_order, means[place], is_in_order))
    _, _, logs, is_in_order = min(both, key=lambda x: x[:2])
    return OrderedColumn(name, values, logs, is_in_order, 2 * n_levels >= len(np.unique(y)))
