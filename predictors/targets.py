"""This module finds the target columns of a log and adds them up to a latency."""

from collections.abc import Sequence
from difflib import get_close_matches
from shlex import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.cells import LIST_SUFFIXES
from predictors.table import TableError, numbers, positive_column, source
from profilers.log.column_names import is_duration, is_energy, is_rate
from profilers.log.headers import require_two_columns
from profilers.log.known_tables import known_table
from profilers.log.rows import LogError
from profilers.log.units import Unit, unit_of

DEFAULT_TARGET = "latency_ms"
_MOST_NAMES = 12  # of columns in a message


def resolve_targets(frame: pd.DataFrame, targets: Sequence[str] | None) -> tuple[str, ...]:
    """Return the target columns: the named ones, or `latency_ms`.

    Without both, it is the latency of a table that another program is known to write.

    Args:
        frame: The log.
        targets: Names of columns, or None for the default.

    Raises:
        TableError: A column is absent or holds a rate, or none is named and there is no default,
            or there is one column only.
    """
    try:
        require_two_columns([str(name) for name in frame.columns], source(frame))
    except LogError as error:
        raise TableError(str(error)) from None
    if targets is None and DEFAULT_TARGET in frame:
        return (DEFAULT_TARGET,)
    names = [str(name) for name in frame.columns]
    table = known_table(names)
    if targets is None and table is not None:
        target = table.target_in(names, lambda name: _may_be_latency(frame, name))
        if target is not None:
            return (target,)
    if not targets:
        raise TableError(_no_default(frame))
    for target in targets:
        if f"{target}{LIST_SUFFIXES[0]}" in frame and target not in frame:
            raise TableError(_of_samples(frame, target))
        if target not in frame:
            raise TableError(absence(frame, [target]))
        if is_rate(target) and target not in frame.attrs.get("in_ms", ()):
            raise TableError(
                f"{source(frame)}: '{target}' is a rate, by its name: the more, the faster. Name a "
                "column of times."
            )
        if is_energy(target):
            raise TableError(
                f"{source(frame)}: '{target}' is an energy or a power, by its name. Name a column "
                "of times."
            )
    return tuple(dict.fromkeys(targets))


def target_units(
    frame: pd.DataFrame, targets: Sequence[str], given: str | None = None
) -> dict[str, Unit]:
    """Return the unit of each target, see `profilers.log.units.unit_of`.

    Raises:
        TableError: The user's unit is unknown, or is not the one that a name tells.
    """
    names = [str(name) for name in frame.columns]
    try:
        in_ms = frame.attrs.get("in_ms", ())
        return {target: unit_of(target, names, given, in_ms=in_ms) for target in targets}
    except LogError as error:
        raise TableError(f"{source(frame)}: {error}") from None


def latency_ms(
    frame: pd.DataFrame, targets: Sequence[str], unit: str | None = None
) -> NDArray[np.float64]:
    """Return the sum of the target columns in milliseconds, shape (rows,).

    Args:
        frame: The log.
        targets: The target columns. Each is converted from its own unit.
        unit: The unit of the targets whose name tells none: `us`, `ms` or `s`.

    Raises:
        TableError: A cell is not a number above 0, or a name tells another unit.
    """
    total = np.zeros(len(frame))
    for target, own in target_units(frame, targets, unit).items():
        total += own.in_ms * positive_column(frame, target, what=f"a latency in {own.long_name}")
    return total


def absence(frame: pd.DataFrame, absent: Sequence[str]) -> str:
    """Return the message for absent columns: the name nearest to the first, and some of all."""
    names = [str(name) for name in frame.columns]
    near = get_close_matches(absent[0], names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    listed = ", ".join(map(repr, absent))
    return f"{source(frame)}: no column {listed}.{hint} Columns: {_in_short(names)}."


def _in_short(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _may_be_latency(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column holds several different numbers above 0."""
    values = numbers(frame, name)
    return len(np.unique(values[values > 0])) > 1


def _no_default(frame: pd.DataFrame) -> str:
    """Return the message for a log whose latency nobody named: the columns that may be it."""
    names = [str(name) for name in frame.columns]
    durations = [name for name in names if is_duration(name)]
    if lists := [name for name in map(_list_of, durations) if name]:
        return _of_samples(frame, lists[0])
    candidates = [x for x in durations if _may_be_latency(frame, x)] or durations
    if not candidates:
        return (
            f"{source(frame)} has no column that looks like a latency. Got {_in_short(names)}. "
            "Name it with --target."
        )
    options = [f"--target {quote(name)}" for name in candidates]
    message = f"{source(frame)}: no column '{DEFAULT_TARGET}'. Say which one is the latency: add "
    message += " or ".join([", ".join(options[:-1]), options[-1]] if options[1:] else options) + "."
    if len(candidates) > 1:
        message += " Several are added; of repeated runs, write their median into a column."
    if not all(unit.source for unit in target_units(frame, candidates).values()):
        message += " --unit us, ms or s tells the unit where no name does."
    return message


def _list_of(name: str) -> str:
    """Return the column of lists from which a column was made; empty for any other one."""
    return name.removesuffix(LIST_SUFFIXES[0]) if name.endswith(LIST_SUFFIXES[0]) else ""


def _of_samples(frame: pd.DataFrame, name: str) -> str:
    """Return the message for a column of which each cell is a list of measurements."""
    return (
        f"{source(frame)}: column '{name}' holds a list in each row. Write the median of each list "
        "into a column, such as latency_ms."
    )
