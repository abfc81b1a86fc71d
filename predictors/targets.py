"""Which columns of a log are the latency, and its value in milliseconds."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.table import TableError, positive_column, source
from profilers.log.column_names import is_duration

DEFAULT_TARGET = "latency_ms"


def resolve_targets(frame: pd.DataFrame, targets: Sequence[str] | None) -> tuple[str, ...]:
    """The target columns: those asked for, or `latency_ms`.

    Args:
        frame: The log.
        targets: Names of columns, or None for the default.

    Raises:
        TableError: When a column is absent, or none is given and there is no `latency_ms`.
    """
    names = [str(name) for name in frame.columns]
    if targets is None and DEFAULT_TARGET in names:
        return (DEFAULT_TARGET,)
    if not targets:
        raise TableError(_no_default(frame, names))
    for target in targets:
        if target not in names:
            raise TableError(f"{source(frame)}: {absent_columns([target], names)}")
    return tuple(dict.fromkeys(targets))


def latency_ms(frame: pd.DataFrame, targets: Sequence[str]) -> NDArray[np.float64]:
    """The sum of the target columns, shape (rows,), in milliseconds.

    Raises:
        TableError: When a cell is not a number above 0.
    """
    total = np.zeros(len(frame))
    for target in targets:
        total += positive_column(frame, target, what="a latency in milliseconds")
    return total


def absent_columns(absent: Sequence[str], names: Sequence[str]) -> str:
    """The message for columns that are not there: the name nearest to the first, and all names."""
    near = get_close_matches(absent[0], names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"no column {', '.join(map(repr, absent))}.{hint} Columns: {', '.join(names)}."


def _no_default(frame: pd.DataFrame, names: Sequence[str]) -> str:
    durations = [name for name in names if is_duration(name)]
    listed = ", ".join(durations or names)
    return (
        f"{source(frame)}: no column '{DEFAULT_TARGET}' and no target named. "
        f"Name one or more of: {listed}. They are taken as milliseconds; a unit in a name, such as "
        "latency_s, is refused with the factor that brings it there."
    )
