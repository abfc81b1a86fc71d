"""This module reads a column that names the unit of the times in its row: `unit` or `time_unit`.

Google Benchmark and JMH write one, and so do people. Units in the cells themselves are read in
`profilers.log.units_in_cells`, and a unit in the name of a column in `profilers.log.units`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from profilers.log.column_names import is_duration, kind_of_name, words
from profilers.log.known_tables import known_table
from profilers.log.rows import LogError
from profilers.log.units import milliseconds_in, unit_in
from profilers.log.units_in_cells import Cells, WrittenUnits
from profilers.log.written_numbers import MISSING, is_number

_NAMES: Final = frozenset(
    {("unit",), ("units",), ("time", "unit"), ("time", "units"), ("latency", "unit")}
)
_NOTHING: Final = WrittenUnits({}, {}, frozenset(), ())


def units_of_rows(columns: Sequence[str], rows: Sequence[Cells], path: Path) -> WrittenUnits:
    """Return the units of time that a column names for each row.

    They are those of the columns that are durations by their names. Without such columns, they are
    those of the numbers in the column before it, unless its name says something else.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        path: The file, for messages.

    Raises:
        LogError: There are durations, and some rows name another unit than one of time.
    """
    place = next((i for i, name in enumerate(columns) if words(name) in _NAMES), None)
    if place is None or not rows:
        return _NOTHING
    named = [cells[place] for cells in rows]
    units = {cell: milliseconds_in(cell.partition("/")[0].strip().lower()) for cell in set(named)}
    known = known_table(columns)
    times = [
        index
        for index, name in enumerate(columns)
        if unit_in(name) is None
        and (is_duration(name) or (known is not None and known.holds_time(name)))
    ]
    if not times and all(units.values()) and _may_be_times(columns, rows, place - 1):
        times = [place - 1]
    if not times or not (any(units.values()) or known is not None):
        return _NOTHING
    for number, cells in enumerate(rows, 1):
        if units[cells[place]] is None and any(cells[index] for index in times):
            raise LogError(
                f"{path}: column {columns[place]!r} must name a unit of time in every row. Got "
                f"{cells[place]!r} in row {number} below the header. Keep the rows that are times."
            )
    listed = ", ".join(repr(columns[index]) for index in times)
    remark = f"the unit of {listed} is that of {columns[place]!r} in each row; converted to ms"
    factors = [units[cell] or 1.0 for cell in named]
    return WrittenUnits(
        {place: ["ms" if cell else "" for cell in named]},
        dict.fromkeys(times, factors),
        frozenset(columns[index] for index in times),
        (remark,),
    )


def _may_be_times(columns: Sequence[str], rows: Sequence[Cells], index: int) -> bool:
    """Return whether a column holds numbers, and its name does not say of what."""
    if index < 0 or kind_of_name(columns[index]) != "unclear":
        return False
    return all(is_number(cell) or cell.lower() in MISSING for cell in (x[index] for x in rows))
