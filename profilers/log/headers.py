"""This module reads the header of a CSV: it names the columns and makes the rows as wide as it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import Final

from profilers.log.column_names import is_duration
from profilers.log.records import Record, number
from profilers.log.rows import LogError

OURS: Final = frozenset(
    {"point_id", "latency_ms", "ci_low_ms", "ci_high_ms", "sentinel_ms", "measured_at"}
)

_PAIR: Final = re.compile(r"[^\W\d]\w*\s*[=:]\s*\d[\d.]*\s*\w{0,3}$")  # batch=8, time: 2.5 ms
_LINES_OF_TITLES: Final = 20
_INDEX: Final = "Unnamed: 0"  # as pandas calls a first column without a name


def require_two_columns(columns: Sequence[str], source: object) -> None:
    """Check that a log has a latency and something that it depends on.

    Raises:
        LogError: It has one column, as a text that is no table.
    """
    if len(columns) < 2:
        raise LogError(
            f"{source}, line 1: a log must have a latency and what it depends on, in columns "
            f"separated by commas. Got {len(columns)} column, {','.join(columns)[:40]!r}."
        )


def require_names(path: Path, header: Record) -> None:
    """Check that the first line holds names.

    Raises:
        LogError: It holds measurements, or cannot be parsed.
    """
    numeric = [cell for cell in header.cells if not isnan(number(cell))]
    has_fraction = any(not number(cell).is_integer() for cell in numeric)
    pairs = [cell for cell in header.cells if _PAIR.search(cell)]
    is_of_pairs = len(pairs) > 1 and 2 * len(pairs) >= len(header.cells)
    is_of_numbers = numeric and (has_fraction or 2 * len(numeric) >= len(header.cells))
    if is_of_numbers or is_of_pairs:
        raise LogError(
            f"{path} has no header: line {header.line} holds a measurement, "
            f"{','.join(header.cells)[:60]!r}. Put a line with the names of the columns above it."
        )


def require_no_header_below(path: Path, header: Record, records: Sequence[Record]) -> None:
    """Check that the first line is no title above the header.

    The header is a line of names, one of them of a time, with more names than the first line.

    Raises:
        LogError: It is.
    """
    names = [cell for cell in header.cells if cell]
    for record, row in pairwise(records[:_LINES_OF_TITLES]):
        cells, row_cells = _split(record), _split(row)
        if not len(names) < len(cells) == len(row_cells) or not any(map(is_duration, cells)):
            continue
        is_title = len(names) < 2 or not any(map(is_duration, names))
        is_header = all(cells) and all(isnan(number(x)) for x in cells)
        if is_title and is_header and any(not isnan(number(x)) for x in row_cells):
            raise LogError(
                f"{path}: line {record.line} looks like the header, {','.join(cells)[:60]!r}. "
                "Delete the lines above it."
            )


def _split(record: Record) -> tuple[str, ...]:
    """Return the cells of a record. A title tells no delimiter, so one cell may be several."""
    if len(record.cells) != 1:
        return record.cells
    return max((tuple(record.cells[0].split(mark)) for mark in ",;\t"), key=len)


def named(columns: tuple[str, ...], records: list[Record]) -> tuple[tuple[str, ...], list[Record]]:
    """Return the names of the columns and the records, see `read_any_log`."""
    if len(columns) > 1 and columns[0] == "":
        columns = (_INDEX, *columns[1:])
    columns, records = _with_equal_widths(columns, records)
    n_cells = len(columns)
    while n_cells > 1 and columns[n_cells - 1] == "":
        n_cells -= 1
    if n_cells == len(columns) or any(any(record.cells[n_cells:]) for record in records):
        return columns, records
    return columns[:n_cells], [
        replace(record, cells=record.cells[:n_cells])
        if len(record.cells) == len(columns)
        else record
        for record in records
    ]


def _with_equal_widths(
    columns: tuple[str, ...], records: list[Record]
) -> tuple[tuple[str, ...], list[Record]]:
    """Return the names and the records, where all rows have one cell more than the header.

    Their last cells are left out when all are blank. Their first cells are the names of the rows,
    which R writes, when they are the numbers from 1 on, or are no numbers and differ.
    """
    n_cells = len(columns) + 1
    if len(records) < 2 or any(len(x.cells) != n_cells for x in records) or set(columns) >= OURS:
        return columns, records
    if not any(record.cells[-1] for record in records):
        return columns, [replace(record, cells=record.cells[:-1]) for record in records]
    first = [record.cells[0] for record in records]
    are_counted = first == [str(i) for i in range(1, len(first) + 1)]
    if are_counted or (len(set(first)) == len(first) and all(isnan(number(x)) for x in first)):
        return (_INDEX, *columns), records
    return columns, records
