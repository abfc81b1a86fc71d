"""This module reads a column or a row that names units of time.

A column `unit` or `time_unit` names that of its row. Google Benchmark and JMH write one, and so do
people. `report.latency.unit` names that of `report.latency.mean`, as optimum-benchmark writes it. A
row of units below the header, as Nsight Compute writes it, names those of its columns. Units in the
cells themselves are read in `profilers.log.units_in_cells`, and a unit in the name of a column in
`profilers.log.units`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from profilers.log.column_names import is_duration, kind_of_name, words
from profilers.log.known_tables import NANOBENCH, known_table
from profilers.log.rows import LogError
from profilers.log.units import milliseconds_in, unit_in
from profilers.log.units_in_cells import Cells, WrittenUnits
from profilers.log.written_numbers import MISSING, is_number

_NAMES: Final = frozenset(
    {("unit",), ("units",), ("time", "unit"), ("time", "units"), ("latency", "unit")}
)
NO_UNITS: Final = WrittenUnits({}, {}, frozenset(), ())


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
        return NO_UNITS
    named = [cells[place] for cells in rows]
    units = {cell: milliseconds_in(cell.partition("/")[0].strip().lower()) for cell in set(named)}
    known = known_table(columns)
    if known is not None and known.program == NANOBENCH:  # its unit is what a run handles
        return NO_UNITS
    times = [
        index
        for index, name in enumerate(columns)
        if unit_in(name) is None
        and (is_duration(name) or (known is not None and known.holds_time(name)))
    ]
    if not times and all(units.values()) and _may_be_times(columns, rows, place - 1):
        times = [place - 1]
    if not times or not (any(units.values()) or known is not None):
        return NO_UNITS
    for number, cells in enumerate(rows, 1):
        if units[cells[place]] is None and any(cells[index] for index in times):
            raise LogError(
                f"{path}: column {columns[place]!r} must name a unit of time in every row. Got "
                f"{cells[place]!r} in row {number} below the header. Keep the rows that are times."
            )
    factors = [units[cell] or 1.0 for cell in named]
    converted = _converted(columns, times, factors, f"that of {columns[place]!r} in each row")
    return replace(converted, texts={place: ["ms" if cell else "" for cell in named]})


def units_of_parts(columns: Sequence[str], rows: Sequence[Cells]) -> WrittenUnits:
    """Return the units of time that columns such as `a.latency.unit` name for those of `a.latency`.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
    """
    units = NO_UNITS
    known = known_table(columns)
    for place, name in enumerate(columns):
        *part, last = words(name) or ("",)
        if not part or last not in ("unit", "units") or words(name) in _NAMES:
            continue
        factors = [milliseconds_in(cells[place].lower()) for cells in rows]
        if None in factors:
            continue
        times = [
            index
            for index, other in enumerate(columns)
            if list(words(other)[: len(part)]) == part
            and (is_duration(other) or (known is not None and known.holds_time(other)))
            and unit_in(other) is None
            and _are_numbers(cells[index] for cells in rows)
        ]
        units |= _converted(columns, times, [x or 1.0 for x in factors], f"that of {name!r}")
    return units


def row_of_units(columns: Sequence[str], rows: Sequence[Cells]) -> WrittenUnits | None:
    """Return the units of time in the first row; None when that is a measurement.

    It is a row of units when it has no digit, and one of its cells is a unit of time above
    numbers.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
    """
    if len(rows) < 2 or any(map(str.isdigit, "".join(rows[0]))):
        return None
    units = {i: milliseconds_in(cell.strip("[]() ").lower()) for i, cell in enumerate(rows[0])}
    others = rows[1:]
    times = {
        index: factor
        for index, factor in units.items()
        if factor is not None and _are_numbers(cells[index] for cells in others)
    }
    written = NO_UNITS
    for index, factor in times.items():
        own = [index] if unit_in(columns[index]) is None else []
        where = f"{rows[0][index]!r}, as the row below the header says"
        written |= _converted(columns, own, [factor] * len(others), where)
    return written if times else None


def _converted(
    columns: Sequence[str], times: Sequence[int], factors: list[float], where: str
) -> WrittenUnits:
    """Return the conversion of columns of times to milliseconds; none without columns."""
    if not times:
        return NO_UNITS
    listed = ", ".join(repr(columns[index]) for index in times)
    remark = f"the unit of {listed} is {where}; converted to ms"
    named = frozenset(columns[index] for index in times)
    return WrittenUnits({}, dict.fromkeys(times, factors), named, (remark,))


def _are_numbers(cells: Iterable[str]) -> bool:
    return all(is_number(cell) or cell.lower() in MISSING for cell in cells)


def _may_be_times(columns: Sequence[str], rows: Sequence[Cells], index: int) -> bool:
    """Return whether a column holds numbers, and its name does not say of what."""
    if index < 0 or kind_of_name(columns[index]) != "unclear":
        return False
    return _are_numbers(cells[index] for cells in rows)
