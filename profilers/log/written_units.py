"""This module reads numbers that are written with a unit: `90%`, `2k`, `16 GiB` or `1e3 ms`.

The unit of a time may also be in a column of its own and differ from row to row, as in the tables
of Google Benchmark. Times become milliseconds, or the unit that the column's name tells. Sizes in
bytes become megabytes.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from profilers.log.column_names import is_duration, kind_of_name, words
from profilers.log.conditions import NAMES_OF_OTHERS
from profilers.log.known_tables import known_table
from profilers.log.rows import LogError
from profilers.log.separators import NUMBERS
from profilers.log.units import MILLISECONDS, time_unit, unit_in

_WRITTEN: Final = re.compile(
    r"([+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(%|[^\W\d_]{1,12}(?:/[^\W\d_]{1,12})?)?"
)
_NO_NUMBER: Final = frozenset({"", "na", "n/a", "[n/a]", "nan", "null", "none", "inf", "infinity"})
_THOUSANDS: Final = {"k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_MEGABYTES: Final = {
    **{"b": 1e-6, "byte": 1e-6, "bytes": 1e-6},
    **{"kb": 1e-3, "mb": 1.0, "gb": 1e3, "tb": 1e6},
    **{"kib": 2**10 / 1e6, "mib": 2**20 / 1e6, "gib": 2**30 / 1e6, "tib": 2**40 / 1e6},
}
_BARE: Final = frozenset({"m", "g", "b"})  # metres, grams or bytes where no other unit is near
_LONG_TIMES: Final = {"min": MILLISECONDS["min"], "h": 3.6e6, "hr": 3.6e6, "hours": 3.6e6}
_UNIT_COLUMNS: Final = frozenset(
    {("unit",), ("units",), ("time", "unit"), ("time", "units"), ("latency", "unit")}
)
_ENDS_OF_NUMBERS: Final = frozenset("0123456789.") | {""}
_SHOWN: Final = 4
_MOST_ODD: Final = 0.1  # of the cells of a column may be no number; they are mistakes

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrittenUnits:
    """The units in the cells of a table.

    Attributes:
        texts: The cells of each column that has units, without the units, by the column's index.
        factors: What each of these numbers is multiplied by, by the column's index.
        in_ms: The names of the columns that are in milliseconds then.
        remarks: A sentence for each column.
    """

    texts: Mapping[int, list[str]]
    factors: Mapping[int, list[float]]
    in_ms: frozenset[str]
    remarks: tuple[str, ...]

    def without_units(self, rows: Sequence[Cells]) -> list[Cells]:
        """Return the rows with `texts` in their places."""
        return _replaced(rows, self.texts)

    def multiplied(self, rows: Sequence[Cells]) -> list[Cells]:
        """Return the rows with each number multiplied by its factor."""
        products = {
            index: [_product(cells[index], x) for cells, x in zip(rows, factors, strict=True)]
            for index, factors in self.factors.items()
            if any(factor != 1 for factor in factors)
        }
        return _replaced(rows, products)


def units_in_cells(columns: Sequence[str], rows: Sequence[Cells], path: Path) -> WrittenUnits:
    """Return the units that the cells of a table name.

    Conditions and bookkeeping, such as a power mode `15W`, are text and stay so.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        path: The file, for messages.

    Raises:
        LogError: A column of units names something else than a time.
    """
    table = [list(cells) for cells in zip(*rows, strict=True)]
    texts: dict[int, list[str]] = {}
    factors: dict[int, list[float]] = {}
    in_ms: set[str] = set()
    remarks: list[str] = []
    taken_out: list[str] = []
    for index, cells in enumerate(table):
        name = columns[index]
        is_plain = {cell[-1:] for cell in cells} <= _ENDS_OF_NUMBERS
        is_open = kind_of_name(name) not in ("condition", "bookkeeping")
        if is_plain or not is_open or name.lower() in NAMES_OF_OTHERS:
            continue
        read = _column(name, cells)
        if isinstance(read, str):
            remarks += [read] if read else []
            continue
        texts[index], factors[index], remark, is_time = read
        in_ms |= {name} if is_time else set()
        taken_out.append(remark)
    if taken_out:
        more = f" and {len(taken_out) - _SHOWN} more columns" if len(taken_out) > _SHOWN else ""
        remarks.insert(0, f"units are read: {', '.join(taken_out[:_SHOWN])}{more}")
    if (of_rows := _from_unit_column(columns, table, path)) is not None:
        units, times, remark, place = of_rows
        texts[place] = ["ms" if cell else "" for cell in table[place]]
        factors |= {index: units for index in times if index not in texts}
        in_ms |= {columns[index] for index in times}
        remarks.append(remark)
    return WrittenUnits(texts, factors, frozenset(in_ms), tuple(remarks))


def _column(name: str, cells: Sequence[str]) -> tuple[list[str], list[float], str, bool] | str:
    """Return the numbers of a column, their factors, a remark, and whether they are milliseconds.

    Return a remark alone, which may be empty, for a column that stays as it is.
    """
    levels = {cell: _written(cell) for cell in set(cells)}
    filled = [cell for cell in cells if cell.lower() not in _NO_NUMBER]
    if not filled or sum(levels[x] is None for x in filled) > _MOST_ODD * len(filled):
        return ""
    suffixes = {x: match[2] or "" for x in dict.fromkeys(filled) if (match := levels[x])}
    kinds = {suffix.lower() for suffix in suffixes.values()}
    example = next((cell for cell, suffix in suffixes.items() if suffix), "")
    if not example:
        return ""
    factors, into = _factors(kinds, name)
    if factors is None:
        if "" not in kinds or not _needs_unit(kinds):
            return ""
        plain = next(cell for cell, suffix in suffixes.items() if not suffix)
        return (
            f"column {name!r} has numbers with and without a unit ({example!r}, {plain!r}), so it "
            "is text; write all of them alike to have numbers"
        )
    by_cell = {
        x: (match[1], factors[(match[2] or "").lower()]) for x in suffixes if (match := levels[x])
    }
    if not all(NUMBERS["."].fullmatch(text) for text, _ in by_cell.values()):  # decimal commas
        by_cell = {
            x: (text.replace(".", "").replace(",", "."), factor)
            for x, (text, factor) in by_cell.items()
        }
    values = [by_cell.get(cell, (cell, 1.0)) for cell in cells]
    text, factor = by_cell[example]
    read = _product(text, factor)
    remark = f"{example!r} as {read}{into} in {name!r}"
    is_time = into == " ms" and unit_in(name) is None
    return [text for text, _ in values], [factor for _, factor in values], remark, is_time


def _written(cell: str) -> re.Match[str] | None:
    """Return the number and the unit in a cell; None when it holds something else."""
    match = _WRITTEN.fullmatch(cell)
    is_number = match is not None and any(x.fullmatch(match[1]) for x in NUMBERS.values())
    return match if is_number else None


def _factors(kinds: Collection[str], name: str) -> tuple[Mapping[str, float] | None, str]:
    """Return what a number is multiplied by, by its unit, and the unit that it then has.

    Return None when the units do not tell numbers: labels such as `1a` and `2b`.
    """
    times = {kind: _LONG_TIMES.get(kind) or _in_ms(kind) for kind in kinds}
    if all(times.values()):
        named = unit_in(name) or "ms"
        return {kind: (x or 0) / MILLISECONDS[named] for kind, x in times.items()}, f" {named}"
    (first, *more) = kinds
    if not more and (first in _BARE or first not in {**_MEGABYTES, **_THOUSANDS}):
        return dict.fromkeys(kinds, 1.0), ""
    if set(kinds) <= _MEGABYTES.keys():
        return _MEGABYTES, " MB"
    is_number = set(kinds) <= {"", *_THOUSANDS} and set(kinds) != {"", "b"}
    return ({"": 1.0, **_THOUSANDS}, "") if is_number else (None, "")


def _in_ms(kind: str) -> float | None:
    unit = time_unit(kind)
    return None if unit is None else MILLISECONDS[unit]


def _needs_unit(kinds: Collection[str]) -> bool:
    """Return whether one of the units is that of a quantity, whose plain numbers tell nothing."""
    return any(kind == "%" or kind in _MEGABYTES or _in_ms(kind) for kind in kinds)


def _from_unit_column(
    columns: Sequence[str], table: Sequence[Sequence[str]], path: Path
) -> tuple[list[float], list[int], str, int] | None:
    """Return the milliseconds in the unit of each row, and where the times are.

    The result is these factors, the columns of times, a remark, and the column of units. Return
    None when there is no column of units of time.

    Raises:
        LogError: Some rows name another unit.
    """
    place = next((i for i, name in enumerate(columns) if words(name) in _UNIT_COLUMNS), None)
    if place is None or not table:
        return None
    known = known_table(columns)
    times = [
        index
        for index, name in enumerate(columns)
        if unit_in(name) is None
        and (is_duration(name) or (known is not None and known.holds_time(name)))
    ]
    units = {cell: _in_ms(cell.partition("/")[0].strip().lower()) for cell in set(table[place])}
    is_of_times = any(units.values()) or (known is not None and bool(times))
    if not times or not is_of_times:
        return None
    for number, cell in enumerate(table[place]):
        if units[cell] is None and any(table[index][number] for index in times):
            raise LogError(
                f"{path}: column {columns[place]!r} must name a unit of time in every row. Got "
                f"{cell!r} in row {number + 1} below the header. Keep the rows that are times."
            )
    listed = ", ".join(repr(columns[index]) for index in times)
    remark = f"the unit of {listed} is that of {columns[place]!r} in each row; converted to ms"
    return [units[cell] or 1.0 for cell in table[place]], times, remark, place


def _replaced(rows: Sequence[Cells], columns: Mapping[int, list[str]]) -> list[Cells]:
    if not columns:
        return list(rows)
    table = [columns.get(i, cells) for i, cells in enumerate(zip(*rows, strict=True))]
    return list(zip(*table, strict=True))


def _product(cell: str, factor: float) -> str:
    """Return a number times a factor; a cell that is no number stays as it is."""
    try:
        return cell if factor == 1 else f"{float(cell) * factor:.15g}"
    except ValueError:
        return cell
