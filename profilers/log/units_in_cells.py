"""This module reads numbers that are written with a unit: `90%`, `2k`, `16 GiB` or `0:00:01.5`.

Times become milliseconds, or the unit that the column's name tells. Sizes in bytes become
megabytes. A unit in a column of its own is read in `profilers.log.unit_column`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from profilers.log.column_names import NameKind, is_moment, kind_of_name, words
from profilers.log.conditions import NAMES_OF_OTHERS
from profilers.log.durations import milliseconds_of
from profilers.log.units import MILLISECONDS, milliseconds_in, unit_in
from profilers.log.written_numbers import MISSING, NUMBERS, is_number

_WRITTEN: Final = re.compile(
    r"([+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(%|[^\W\d_]{1,12}(?:/[^\W\d_]{1,12})?)?"
)
_NO_NUMBER: Final = MISSING | {"inf", "infinity"}
_BILLION: Final = 1e9
_THOUSANDS: Final = {
    **{"k": 1e3, "m": 1e6, "g": 1e9, "b": _BILLION},
    **{"ki": 2**10, "mi": 2**20, "gi": 2**30},
}
_MEGABYTES: Final = {
    **{"b": 1e-6, "byte": 1e-6, "bytes": 1e-6},
    **{"kb": 1e-3, "mb": 1.0, "gb": 1e3, "tb": 1e6},
    **{"kib": 2**10 / 1e6, "mib": 2**20 / 1e6, "gib": 2**30 / 1e6, "tib": 2**40 / 1e6},
}
_OF_BYTES: Final = frozenset(
    {"byte", "bytes", "nbytes", "memory", "mem", "ram", "vram", "buffer", "payload", "footprint"}
    | {"message", "messages", "msg", "packet", "packets", "transfer", "transfers"}
)
# Words of what is counted in billions.
_OF_BILLIONS: Final = frozenset(
    {"model", "models", "param", "params", "parameter", "parameters", "llm", "active"}
    | {"flop", "flops", "mac", "macs"}
)
_BESIDE_BYTES: Final = frozenset({"g", "gi"})
_MOST_BILLIONS: Final = 1000
_DECISIVE: Final = 100  # how much closer together sizes must be for one meaning than for another
_OF_QUANTITIES: Final = ("%", "hz", "flop", "flops")  # ends of units
_ENDS_OF_NUMBERS: Final = frozenset("0123456789.") | {""}
_SHOWN: Final = 4
_MOST_ODD: Final = 0.1  # of the cells of a column may be no number; they are mistakes

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrittenUnits:
    """The units that a table names beside its numbers.

    Attributes:
        texts: The cells of each column that has units, without the units, by the column's index.
        factors: What each of these numbers is multiplied by, by the column's index.
        in_ms: The names of the columns that are in milliseconds then.
        remarks: Sentences about what was read, for the user.
    """

    texts: Mapping[int, list[str]]
    factors: Mapping[int, list[float]]
    in_ms: frozenset[str]
    remarks: tuple[str, ...]

    def __or__(self, other: "WrittenUnits") -> "WrittenUnits":
        """Return the units of both; those of the other where both have a column."""
        return WrittenUnits(
            {**self.texts, **other.texts},
            {**self.factors, **other.factors},
            self.in_ms | other.in_ms,
            self.remarks + other.remarks,
        )

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


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers with units.

    Attributes:
        texts: Its cells without the units.
        factors: What each number is multiplied by.
        remark: What was read as what, with an example.
        is_time: Whether it is in milliseconds then, and its name does not say so.
    """

    texts: list[str]
    factors: list[float]
    remark: str
    is_time: bool


def units_in_cells(columns: Sequence[str], rows: Sequence[Cells]) -> WrittenUnits:
    """Return the units that the cells of a table name.

    Conditions and bookkeeping, such as a power mode `15W`, are text and stay so.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
    """
    read: dict[int, _Column] = {}
    remarks: list[str] = []
    for index, cells in enumerate(zip(*rows, strict=True)):
        name = columns[index]
        if {cell[-1:] for cell in cells} <= _ENDS_OF_NUMBERS and ":" not in "".join(cells):
            continue
        kind = kind_of_name(name)
        if kind in ("condition", "bookkeeping") or name.lower() in NAMES_OF_OTHERS:
            continue
        column = _column(name, cells, kind)
        if isinstance(column, _Column):
            read[index] = column
        elif column:
            remarks.append(column)
    if read:
        shown = ", ".join(column.remark for column in list(read.values())[:_SHOWN])
        more = f" and {len(read) - _SHOWN} more columns" if len(read) > _SHOWN else ""
        remarks.insert(0, f"units are read: {shown}{more}")
    return WrittenUnits(
        {index: column.texts for index, column in read.items()},
        {index: column.factors for index, column in read.items()},
        frozenset(columns[index] for index, column in read.items() if column.is_time),
        tuple(remarks),
    )


def _column(name: str, cells: Sequence[str], kind: NameKind) -> _Column | str:
    """Return a column of numbers with units.

    Return a remark, which may be empty, for a column that stays as it is.

    Args:
        name: The name of the column.
        cells: Its cells.
        kind: What its name says that it is.
    """
    levels = {cell: _written(cell) for cell in set(cells)}
    if kind != "input" and not is_moment(name):
        others = [cell for cell, parts in levels.items() if parts is None]
        levels |= {cell: _duration(cell, is_time=kind == "result") for cell in others}
    filled = [cell for cell in cells if cell.lower() not in _NO_NUMBER]
    if not filled or sum(levels[x] is None for x in filled) > _MOST_ODD * len(filled):
        return ""
    written = {x: parts for x in dict.fromkeys(filled) if (parts := levels[x])}
    units = {x: unit.lower() for x, (_, unit) in written.items()}
    example = next((cell for cell, unit in units.items() if unit), "")
    if not example:
        return ""
    texts = {x: number for x, (number, _) in written.items()}
    if not all(NUMBERS["."].fullmatch(text) for text in texts.values()):  # decimal commas
        texts = {x: text.replace(".", "").replace(",", ".") for x, text in texts.items()}
    kinds = set(units.values())
    if "%" in kinds and unit_in(name) is not None:
        return f"column {name!r} is a time by its name, but {example!r} is none, so it is text"
    of_b = _meaning_of_b([(texts[x], unit) for x, unit in units.items()], name)
    factors, into = _factors(kinds, name, of_b)
    if factors is None:
        return _left_as_text(name, units, example, is_b_unclear=of_b is None)
    number = texts[example].replace(",", "" if "." in texts[example] else ",")
    read = f"{_product(number, factors[units[example]])}{into}" if "," not in number else into[1:]
    return _Column(
        [texts.get(cell, cell) for cell in cells],
        [factors[units[cell]] if cell in units else 1.0 for cell in cells],
        f"{example!r} as {read or 'a number'} in {name!r}",
        is_time=into == " ms" and unit_in(name) is None,
    )


def _left_as_text(name: str, units: Mapping[str, str], example: str, *, is_b_unclear: bool) -> str:
    """Return a remark about a column that stays text; empty when its cells are labels.

    Args:
        name: The name of the column.
        units: The unit of each cell, in lower case.
        example: A cell with a unit.
        is_b_unclear: Whether a `B` in it may stand for a byte and for a billion.
    """
    kinds = set(units.values())
    if is_b_unclear and kinds <= {"", *_THOUSANDS} and kinds != {"", "b"}:
        return (
            f"column {name!r} may hold bytes or billions ({example!r}), so it is text; write "
            "'bytes' or 'params' in its name, or numbers without B, to have numbers"
        )
    if not _are_quantities(kinds):
        return ""
    other = next(cell for cell, unit in units.items() if unit != units[example])
    return (
        f"column {name!r} has numbers with several units or without one ({example!r}, "
        f"{other!r}), so it is text; write all of them alike to have numbers"
    )


def _meaning_of_b(written: Sequence[tuple[str, str]], name: str) -> float | None:
    """Return what a `B` behind numbers stands for: 1 for a byte or 1e9; None when nothing tells it.

    The name tells it. A byte has no fraction, and `G` would be the same as a billion. Otherwise it
    is the meaning with which the sizes are much closer together: `500M` and `7B` are counts, `8B`
    and `1K` are bytes, and `100B` and `1M` may be both.

    Args:
        written: The text of each number, with its unit in lower case.
        name: The name of the column.
    """
    own, kinds = words(name), {unit for _, unit in written}
    if not _OF_BYTES.isdisjoint(own):
        return 1.0
    if not _OF_BILLIONS.isdisjoint(own):
        return _BILLION
    numbers = [(float(x.replace(",", "")), unit) for x, unit in written]
    of_b = [x for x, unit in numbers if unit == "b"]
    if any(x > _MOST_BILLIONS for x in of_b) or not kinds.isdisjoint(_BESIDE_BYTES):
        return 1.0
    if not all(x.is_integer() for x in of_b):
        return _BILLION
    if kinds == {"b"}:
        return None if all(map(_is_power_of_two, of_b)) else _BILLION
    gaps = {meaning: _largest_gap(numbers, meaning) for meaning in (1.0, _BILLION)}
    near, far = sorted(gaps, key=gaps.__getitem__)
    return near if gaps[far] > _DECISIVE * gaps[near] else None


def _largest_gap(numbers: Sequence[tuple[float, str]], of_b: float) -> float:
    """Return the largest quotient of two neighbours among the sorted sizes.

    Args:
        numbers: Each number with its unit.
        of_b: What a `B` stands for.
    """
    factors = {"": 1.0, **_THOUSANDS, "b": of_b}
    sizes = sorted(x * factors.get(unit, 1.0) for x, unit in numbers if x > 0)
    return max((b / a for a, b in pairwise(sizes)), default=1.0)


def _is_power_of_two(value: float) -> bool:
    return value.is_integer() and int(value) & (int(value) - 1) == 0


def _written(cell: str) -> tuple[str, str] | None:
    """Return the number and the unit in a cell; None when it holds something else."""
    match = _WRITTEN.fullmatch(cell)
    return (match[1], match[2] or "") if match is not None and is_number(match[1]) else None


def _duration(cell: str, *, is_time: bool) -> tuple[str, str] | None:
    """Return a duration in parts as milliseconds and their unit; None for any other cell."""
    duration = milliseconds_of(cell, is_time=is_time)
    return None if duration is None else (f"{duration:.12g}", "ms")


def _factors(
    kinds: set[str], name: str, of_b: float | None
) -> tuple[Mapping[str, float] | None, str]:
    """Return what a number is multiplied by, by its unit, and the unit that it then has.

    Return None when the units do not tell numbers: labels such as `1a` and `2b`. As far as can be,
    the factor of a unit does not depend on the other ones, which differ between two files.
    """
    times = {kind: milliseconds_in(kind.partition("/")[0]) for kind in kinds}  # also s/it
    if "m" in kinds and all(x for kind, x in times.items() if kind != "m") and len(kinds) > 1:
        times["m"] = milliseconds_in("min")
    if all(times.values()):
        named = unit_in(name) or "ms"
        return {kind: (x or 0) / MILLISECONDS[named] for kind, x in times.items()}, f" {named}"
    own = words(name)
    if kinds <= _MEGABYTES.keys() and kinds != {"b"}:
        into = next((word for word in own if word in _MEGABYTES and word != "b"), "MB")
        unit = _MEGABYTES[into.lower()]
        return {kind: _MEGABYTES[kind] / unit for kind in kinds}, f" {into}"
    if len(kinds) == 1 and kinds.isdisjoint(_THOUSANDS):
        return dict.fromkeys(kinds, 1.0), ""
    if "b" not in kinds:
        thousands = {"": 1.0, **_THOUSANDS}
        return (thousands, "") if kinds <= thousands.keys() else (None, "")
    thousands = {"": 1.0, **_THOUSANDS, "b": of_b or 1.0}
    is_label = kinds == {"", "b"} and of_b != 1
    if of_b is None or is_label or not kinds <= thousands.keys():
        return None, ""
    return thousands, " bytes" if of_b == 1 else ""


def _are_quantities(kinds: set[str]) -> bool:
    """Return whether one of the units is surely that of a quantity, and no letter of a label."""
    least = 1 if "" in kinds else 2
    return any(
        kind.endswith(_OF_QUANTITIES)
        or (len(kind) >= least and (kind in _MEGABYTES or milliseconds_in(kind) is not None))
        for kind in kinds
    )


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
