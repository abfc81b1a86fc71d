"""This module computes what each column adds to the latency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.models import LatencyModel

_MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class Effect:
    """The change of the predicted latency with one column, while all others stay as they are.

    Attributes:
        column: The matrix column.
        low: The column's 25th percentile in the log.
        high: The column's 75th percentile in the log.
        change_ms: The mean change of the latency from `low` to `high`, in milliseconds.
    """

    column: str
    low: float
    high: float
    change_ms: float


def effects(
    model: LatencyModel, X: NDArray[np.float64], columns: Sequence[str]
) -> tuple[Effect, ...]:
    """Return the effect of every column that varies, largest first.

    An effect is the mean, over rows of the log, of the difference of two predictions: one with the
    column at its upper quartile, one at its lower (partial dependence; Friedman 2001, section
    8.2). Columns that change together, such as layers and FLOPs, share an effect.

    Args:
        model: A fitted model.
        X: The features, shape (rows, len(columns)).
        columns: The names of the features' columns.
    """
    rows = X[np.random.default_rng(0).permutation(len(X))[:_MAX_ROWS]]
    changes = []
    for index, name in enumerate(columns):
        low, high = np.quantile(X[:, index], [0.25, 0.75])
        if high <= low:
            low, high = X[:, index].min(), X[:, index].max()
        if high <= low:
            continue
        ends = []
        for value in (low, high):
            changed = rows.copy()
            changed[:, index] = value
            ends.append(model.predict(changed))
        changes.append(Effect(name, float(low), float(high), float(np.mean(ends[1] - ends[0]))))
    return tuple(sorted(changes, key=lambda effect: -abs(effect.change_ms)))
