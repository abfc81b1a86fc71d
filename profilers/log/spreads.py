"""This module reads numbers with their spread in the same cell: `12.3 ± 0.4` or `12.3 (0.4)`.

hyperfine, llama-bench and `%timeit` write them. The number stays, and its spread is left out.
"""

import re
from collections.abc import Sequence
from typing import Final

from profilers.log.column_names import kind_of_name
from profilers.log.written_numbers import MISSING, is_number

_MARKS: Final = ("±", "+/-", "+-", "(")
_SHOWN: Final = 3
_NUMBER: Final = r"[+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?"
_UNIT: Final = r"(?:%|[^\W\d_]{1,12})?"
_MARKED: Final = re.compile(
    rf"({_NUMBER})\s*({_UNIT})\s*(?:±|\+/?-)\s*({_NUMBER})\s*({_UNIT})(?:\s+per loop\b.*)?"
)
_IN_PARENTHESES: Final = re.compile(
    rf"({_NUMBER})\s*({_UNIT})\s*\(\s*(?:±|\+/?-)?\s*({_NUMBER})\s*(?:%|[^\W\d_]{{1,12}})?\s*\)"
    rf"\s*({_UNIT})"
)

Cells = tuple[str, ...]


def without_spreads(
    columns: Sequence[str], rows: Sequence[Cells], content: str
) -> tuple[list[Cells], tuple[str, ...]]:
    """Return the rows without the spreads beside their numbers, and a remark when there are any.

    A number in parentheses is a spread, or a ratio to the best row, only in a column of results.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        content: The text of the file, to see quickly whether there are any.
    """
    if not any(mark in content for mark in _MARKS):
        return list(rows), ()
    table = [list(cells) for cells in zip(*rows, strict=True)]
    read: list[str] = []
    for index, cells in enumerate(table):
        kind = kind_of_name(columns[index])
        if kind in ("condition", "bookkeeping"):
            continue
        own = [_value(_MARKED, cell) for cell in cells]
        if kind == "result" and not any(own):
            own = [_value(_IN_PARENTHESES, cell) for cell in cells]
            is_whole = all(own[i] or x.lower() in MISSING for i, x in enumerate(cells))
            own = own if is_whole else []
        example = next((i for i, value in enumerate(own) if value), None)
        if example is not None:
            read.append(f"{cells[example]!r} as {own[example]} in {columns[index]!r}")
            table[index] = [value or cell for value, cell in zip(own, cells, strict=True)]
    if not read:
        return list(rows), ()
    more = f" and {len(read) - _SHOWN} more columns" if len(read) > _SHOWN else ""
    remark = f"spreads beside numbers are left out: {', '.join(read[:_SHOWN])}{more}"
    return list(zip(*table, strict=True)), (remark,)


def _value(pattern: re.Pattern[str], cell: str) -> str:
    """Return the number of a cell with its unit; empty when the cell has no spread."""
    match = pattern.fullmatch(cell)
    if match is None or not is_number(match[1]) or not is_number(match[3]):
        return ""
    unit = match[2] or match[4]
    return f"{match[1]} {unit}" if unit else match[1]
