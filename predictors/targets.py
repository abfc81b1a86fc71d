"""This module finds the target columns of a log and adds them up to a latency."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.table import TableError, positive_column, source
from profilers.log.column_names import is_duration

DEFAULT_TARGET = "latency_ms"


def resolve_targets(frame: pd.DataFrame, targets: Sequence[str] | None) -> tuple[str, ...]:
    """Return the target columns: the named ones, or `latency_ms`.

    Args:
        frame: The log.
        targets: Names of columns, or None for the default.

    Raises:
        TableError: A column is absent, or none is named and there is no `latency_ms`.
    """
    if targets is None and DEFAULT_TARGET in frame:
        return (DEFAULT_TARGET,)
    if not targets:
        raise TableError(_no_default(frame))
    for target in targets:
        if target not in frame:
            raise TableError(absence(frame, [target]))
    return tuple(dict.fromkeys(targets))


def latency_ms(frame: pd.DataFrame, targets: Sequence[str]) -> NDArray[np.float64]:
    """Return the sum of the target columns in milliseconds, shape (rows,).

    Raises:
        TableError: A cell is not a number above 0.
    """
    total = np.zeros(len(frame))
    for target in targets:
        total += positive_column(frame, target, what="a latency in milliseconds")
    return total


def absence(frame: pd.DataFrame, absent: Sequence[str]) -> str:
    """Return the message for absent columns: the name nearest to the first, and all names."""
    names = [str(name) for name in frame.columns]
    near = get_close_matches(absent[0], names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    listed = ", ".join(map(repr, absent))
    return f"{source(frame)}: no column {listed}.{hint} Columns: {', '.join(names)}."


def _no_default(frame: pd.DataFrame) -> str:
    names = [str(name) for name in frame.columns]
    durations = [name for name in names if is_duration(name)]
    listed = ", ".join(durations or names)
    return (
        f"{source(frame)}: no column '{DEFAULT_TARGET}' and no target named. "
        f"Name one or more of: {listed}. They are taken as milliseconds; a unit in a name, such as "
        "latency_s, is refused with the factor that brings it there."
    )
