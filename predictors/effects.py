"""What each column adds to the latency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.models import LatencyModel

_MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class Effect:
    """How the predicted latency changes with one column, all others left as they are.

    Attributes:
        column: The matrix column.
        low: Its 25th percentile in the log.
        high: Its 75th.
        change_ms: The mean change of the latency from the one to the other.
    """

    column: str
    low: float
    high: float
    change_ms: float


def effects(
    model: LatencyModel, X: NDArray[np.float64], columns: Sequence[str]
) -> tuple[Effect, ...]:
    """The effect of every column that varies, largest first.

    Means over rows of the log of the difference of two predictions, one with the column at its
    upper, one at its lower quartile (partial dependence; Friedman 2001, section 8.2). Columns
    that go together, such as layers and FLOPs, share an effect between them.

    Args:
        model: Fitted.
        X: Features, shape (rows, len(columns)).
        columns: Their names.
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
