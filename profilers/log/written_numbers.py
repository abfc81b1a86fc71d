"""This module reads numbers with decimal commas, with separated thousands, and missing ones.

`2.853,9` and `2,853.9` say themselves which character is the decimal one. `1.024` and `1,024` do
not: the other cells of the column say it, then those of the table, then the character between the
cells. A result such as `1,500,000` is no list. Where nothing says it, the table is refused, because
a guess is wrong a thousandfold.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from profilers.log.column_names import kind_of_name
from profilers.log.rows import LogError

# What programs write where a number is missing, in lower case.
MISSING: Final = frozenset(
    {"", "na", "n/a", "[n/a]", "nan", "null", "#n/a", "#na", "<na>", "#div/0!", "#value!"}
)
NUMBERS: Final = {
    point: re.compile(
        rf"[+-]?(\d+|[1-9]\d{{0,2}}([{group}]\d{{3}})+)?([{point}]\d+)?([eE][+-]?\d+)?"
        r"|nan|[+-]?inf(inity)?",
        re.I,
    )
    for point, group in ((".", ","), (",", "."))
}
_SEPARATED: Final = re.compile(r".*[.,].*")
_GROUP_MARKS: Final = "\u00a0\u2009\u202f'\u2019"  # spaces that no list has, and apostrophes
_GROUPED: Final = re.compile(rf"[+-]?[1-9]\d{{0,2}}([{_GROUP_MARKS}]\d{{3}})+(?!\d).*", re.S)
_SPACED: Final = re.compile(r"[+-]?[1-9]\d{0,2}( \d{3})*([.,]\d+)?")
_IS_NO_LIST: Final = re.compile(r".* (0\d\d.*|\d{3}[.,]\d+)")  # no size in a list begins with 0
_HAS_SPACED: Final = re.compile(r"\d (0\d\d|\d{3}[.,])")
_GROUP_MARK: Final = re.compile(rf"(?<=\d)[{_GROUP_MARKS}](?=\d{{3}}(?!\d))")


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, with a decimal point or a decimal comma, or blank."""
    return any(number.fullmatch(cell) for number in NUMBERS.values())


def without_groups(rows: list[tuple[str, ...]], content: str) -> list[tuple[str, ...]]:
    """Return the rows without spaces and apostrophes between thousands.

    Plain spaces separate lists, too: `1 024` and `3 072,5` are numbers, and `512 256` is a list.

    Args:
        rows: The cells of each row.
        content: The text of the file, to see quickly whether there are any.
    """
    if _HAS_SPACED.search(content):
        rows = list(zip(*map(_without_spaces, zip(*rows, strict=True)), strict=True))
    if not any(mark in content for mark in _GROUP_MARKS):
        return rows
    return [
        tuple(_GROUP_MARK.sub("", x) if _GROUPED.fullmatch(x) else x for x in cells)
        for cells in rows
    ]


def _without_spaces(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return a column without spaces between thousands; a column of something else as it is."""
    levels = set(cells)
    are_numbers = all(x.lower() in MISSING or _SPACED.fullmatch(x) for x in levels)
    if not are_numbers or not any(map(_IS_NO_LIST.fullmatch, levels)):
        return cells
    return tuple(cell.replace(" ", "") for cell in cells)


def with_decimal_points(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]], *, delimiter: str, path: Path
) -> list[tuple[str, ...]]:
    """Return the rows with all numbers in the form that Python reads.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        delimiter: The character between cells: a comma, a semicolon or a tab.
        path: The file, for messages.

    Raises:
        LogError: A column may be read in two ways.
    """
    table = [list(cells) for cells in zip(*rows, strict=True)]
    signs = [_signs(cells, delimiter) for cells in table]
    of_table = set().union(*(own for own in signs if own is not None))
    for index, (cells, own) in enumerate(zip(table, signs, strict=True)):
        if own is None:
            continue
        decimal = _decimal(own, of_table, cells, delimiter)
        has_millions = any(cell.count(",") > 1 for cell in cells)
        if decimal is None and has_millions and kind_of_name(columns[index]) == "result":
            decimal = "."  # a result is no list, and a number has one decimal character
        if decimal is None:
            raise _ambiguous(path, columns[index], cells)
        table[index] = [_plain(cell, decimal) for cell in cells]
    return list(zip(*table, strict=True))


def _ambiguous(path: Path, column: str, cells: Sequence[str]) -> LogError:
    """Return the error for a column that may be read in two ways."""
    example = next(cell for cell in cells if _SEPARATED.fullmatch(cell))
    listed = f" or, for a list, [{example.replace(',', ', ')}]" if "," in example else ""
    return LogError(
        f"{path}: column {column!r} must hold numbers that can be read in one way. Got "
        f"{example!r}. Write {re.sub('[.,]', '', example)}, {example.replace(',', '.')}{listed}."
    )


def _signs(cells: Iterable[str], delimiter: str) -> set[str] | None:
    """Return the decimal characters that cells of a column of numbers tell.

    Return None for a column without such numbers. In a table with commas between the cells, a
    point is the decimal character, and numbers with commas that are no thousands are a list.
    """
    filled = [cell for cell in set(cells) if cell.lower() not in MISSING]
    marked = [cell for cell in filled if _SEPARATED.fullmatch(cell)]
    if delimiter == ",":
        marked = [cell for cell in marked if "," in cell]
        if not marked or not all(map(NUMBERS["."].fullmatch, filled)):
            return None
        return {"." for cell in marked if "." in cell}
    readings = [[sign for sign in NUMBERS if NUMBERS[sign].fullmatch(cell)] for cell in filled]
    if not marked or not all(readings):
        return None
    return {own[0] for own in readings if len(own) == 1}


def _decimal(own: set[str], of_table: set[str], cells: Sequence[str], delimiter: str) -> str | None:
    """Return the decimal character of a column's ambiguous cells; None when nothing tells it."""
    if len(own) == 1:
        return next(iter(own))
    has_points = [("." in cell) for cell in cells if cell]
    if delimiter == ";" and not any(has_points):
        return None if of_table == {"."} else ","
    if len(of_table) == 1:
        return next(iter(of_table))
    return "." if own or all(has_points) else None


def _plain(cell: str, decimal: str) -> str:
    """Return a number with a decimal point and without separators of thousands."""
    if not NUMBERS[decimal].fullmatch(cell):
        decimal = "," if decimal == "." else "."
    thousands = "," if decimal == "." else "."
    return cell.replace(thousands, "").replace(decimal, ".")
