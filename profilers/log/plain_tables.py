"""This module makes a plain table of numbers from one as people and other programs write it."""

from dataclasses import dataclass, replace
from pathlib import Path

from profilers.log.absent_sizes import with_absent_sizes
from profilers.log.commands import with_arguments
from profilers.log.google_benchmark import with_sizes
from profilers.log.headers import OURS
from profilers.log.records import Record
from profilers.log.spreads import without_spreads
from profilers.log.summary_rows import is_sum, n_summaries
from profilers.log.unit_column import NO_UNITS, row_of_units, units_of_parts, units_of_rows
from profilers.log.units_in_cells import Cells, units_in_cells
from profilers.log.written_numbers import with_decimal_points, without_groups


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table whose numbers are as Python reads them, see `AnyLog`."""

    columns: tuple[str, ...]
    records: list[Record]
    remarks: tuple[str, ...]
    in_ms: frozenset[str]


def with_plain_numbers(
    columns: tuple[str, ...], records: list[Record], *, content: str, delimiter: str, path: Path
) -> PlainTable:
    """Return the table without separators of thousands and units; a log of ours has no units."""
    is_others = not set(columns) >= OURS
    headers = [x for x in records if is_others and x.cells == columns]
    records = [x for x in records if x not in headers] if headers else records
    whole = [x for x in records if len(x.cells) == len(columns) and not x.error]
    others = [x for x in records if len(x.cells) != len(columns) or x.error]
    rows = [record.cells for record in whole]
    remarks = tuple(f"line {x.line} repeats the header and is left out" for x in headers)
    units = None
    if is_others:
        columns, sized, of_names = with_sizes(columns, rows)
        remarks += of_names
        kept = [(x, y) for x, y in zip(whole, sized, strict=True) if y is not None]
        kept, of_others = _without_summaries(kept)
        remarks += of_others
        whole, rows = [record for record, _ in kept], [cells for _, cells in kept]
        columns, rows, of_commands = with_arguments(columns, rows)
        sizes = {name for name in columns if name.startswith("param:")}  # of pytest-benchmark
        rows, of_sizes = with_absent_sizes(columns, rows, sizes)
        rows, of_spreads = without_spreads(columns, without_groups(rows, content), content)
        remarks += of_commands + of_sizes + of_spreads
        below_header = row_of_units(columns, rows)
        if below_header is not None:
            whole, rows = whole[1:], rows[1:]
        units = units_of_rows(columns, rows, path) | units_of_parts(columns, rows)
        units |= below_header or NO_UNITS
        units |= units_in_cells(columns, rows)
        rows = units.without_units(rows)
    if delimiter != "," or '"' in content:
        rows = with_decimal_points(columns, rows, delimiter=delimiter, path=path)
    if units is not None:
        rows, remarks = units.multiplied(rows), remarks + units.remarks
    numbers = [
        record if record.cells is cells else replace(record, cells=cells)
        for record, cells in zip(whole, rows, strict=True)
    ]
    if others:
        numbers = sorted([*numbers, *others], key=lambda record: record.line)
    return PlainTable(columns, numbers, remarks, units.in_ms if units else frozenset())


def _without_summaries(
    rows: list[tuple[Record, Cells]],
) -> tuple[list[tuple[Record, Cells]], tuple[str, ...]]:
    """Return the rows without the last ones that sum up the others, and a remark for each."""
    cells = [own for _, own in rows]
    n_kept = len(cells) - n_summaries(cells)
    remarks = [
        f"line {x.line} begins with {next(filter(None, y))!r}, so it sums up the others and is "
        "left out"
        for x, y in rows[n_kept:]
    ]
    if is_sum(cells[:n_kept]):
        n_kept -= 1
        remarks.append(f"line {rows[n_kept][0].line} is the sum of the others and is left out")
    return rows[:n_kept], tuple(remarks)
