"""This module is the only reader of CSV files: logs of `automoe profile`, of others, and tables.

It keeps malformed rows. Its callers decide what to do about them.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Final

from devices.shown import Shown
from profilers.log.absent_sizes import with_absent_sizes
from profilers.log.commands import with_arguments
from profilers.log.decoding import Decoded
from profilers.log.google_benchmark import with_sizes
from profilers.log.rows import LogError
from profilers.log.spreads import without_spreads
from profilers.log.summary_rows import n_summaries
from profilers.log.table_forms import content_of, delimiter_of, without_named_delimiter
from profilers.log.unit_column import NO_UNITS, row_of_units, units_of_parts, units_of_rows
from profilers.log.units import Unit, unit_of
from profilers.log.units_in_cells import units_in_cells
from profilers.log.written_numbers import with_decimal_points, without_groups

# The largest size, count or latency in a log. Its square fits in double precision, and the number
# itself in the single precision of XGBoost.
LARGEST: Final = 1e20

_INDEX: Final = "Unnamed: 0"  # as pandas calls a first column without a name

_OURS = {"point_id", "latency_ms", "ci_low_ms", "ci_high_ms", "sentinel_ms", "measured_at"}


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a CSV, or several lines when a quoted cell has line breaks.

    Attributes:
        line: The number of its first line in the file, from 1.
        last_line: The number of its last line.
        cells: Its cells, without spaces around them; empty when it cannot be parsed.
        error: The reason why it cannot be parsed; empty when it can.
        is_last: Whether it is the last record of the file.
    """

    line: int
    last_line: int
    cells: tuple[str, ...]
    error: str = ""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV.

    Attributes:
        line: The number of its first line in the file; the header is line 1.
        cells: The text of each cell, by column.
    """

    line: int
    cells: Mapping[str, str]

    def number(self, column: str) -> float:
        """Return a cell as a number, see `number`; NaN when the column is absent."""
        return number(self.cells.get(column, ""))


@dataclass(frozen=True, slots=True, repr=False)
class AnyLog(Shown):
    """A CSV with a header.

    Attributes:
        path: The file.
        columns: The names in the header. A repeated name is in it twice.
        rows: The rows that have as many cells as the header, in the order of the file.
        malformed: The records with more or fewer cells, and those that cannot be parsed. In a log
            of `automoe profile` a row of several lines is malformed too.
        torn: The number of the last line when it is torn: the file is a log of `automoe profile`
            in its own form and does not end with a line break. None otherwise.
        is_ended: Whether the file ends with a line break.
        remarks: Sentences about how the file was read, for the user.
        in_ms: The columns that are in milliseconds now, because their cells told their unit.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    malformed: tuple[Record, ...]
    torn: int | None
    is_ended: bool
    remarks: tuple[str, ...] = ()
    in_ms: frozenset[str] = frozenset()

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "file": self.path.name,
            "written by": "automoe profile" if self.is_ours else "another program",
            "rows": len(self.rows),
            "columns": len(self.columns),
            "malformed records": len(self.malformed) or None,
            "remarks": self.remarks,
        }

    @property
    def is_ours(self) -> bool:
        """Return whether it has the columns that every version of `automoe profile` writes."""
        return set(self.columns) >= _OURS

    def unit_of(self, column: str, given: str | None = None) -> Unit:
        """Return the unit of a column of latencies, see `profilers.log.units.unit_of`.

        Raises:
            LogError: The user's unit is unknown, or is not the one that the column tells.
        """
        return unit_of(column, self.columns, given, in_ms=self.in_ms)

    def may_be_latency(self, column: str) -> bool:
        """Return whether a column holds several different numbers above 0."""
        first = None
        for row in self.rows:
            value = row.number(column)
            if value > 0 and first not in (None, value):
                return True
            first = value if value > 0 else first
        return False


def number(text: str) -> float:
    """Return the text as a number; NaN when it is not a number or beyond `LARGEST`.

    An underscore separates the entries of a list, as in `3072_2048`. Python would leave it out.
    """
    try:
        value = nan if "_" in text else float(text)
    except ValueError:
        return nan
    return value if abs(value) <= LARGEST else nan


def read_any_log(path: Path | str, *, n_lines: int | None = None) -> AnyLog:
    """Read a CSV, with its malformed records.

    Cells may be separated by commas, semicolons or tabs. Decimal commas and separators of thousands
    are taken out of numbers (see `profilers.log.written_numbers`), and so are units (see
    `profilers.log.units_in_cells`). A first column without a name, which pandas and R write, is
    called `Unnamed: 0`, as pandas calls it. A last column that is blank everywhere is left out.

    Args:
        path: The file.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is missing, empty, or not a CSV with a header.
        OSError: The file cannot be read.
    """
    path = Path(path)
    require_existing(path)
    return log_in(content_of(path, n_lines), path)


def log_in(decoded: Decoded, path: Path) -> AnyLog:
    """Return the log in the text of a file, see `read_any_log`.

    Raises:
        LogError: The text is not a CSV with a header.
    """
    content = decoded.text
    is_ended = content.endswith(("\n", "\r"))
    delimiter = delimiter_of(content)
    every = records_of(without_named_delimiter(content), delimiter, n_added=decoded.n_added)
    header, *records = every or [Record(1, 1, (), "the header has no name")]
    _require_names(path, header)
    columns, records = _named(header.cells, records)
    table = _with_numbers(columns, records, content=content, delimiter=delimiter, path=path)
    columns, records = table.columns, table.records
    is_ours = set(columns) >= _OURS
    torn = None
    is_own_form = delimiter == "," and "\r" not in content.partition("\n")[0]
    if is_ours and not is_ended and is_own_form:
        torn = (records.pop() if records else header).line
    rows: list[Row] = []
    malformed = [header] if header.error else []
    for record in records:
        is_one_line = record.line == record.last_line or not is_ours
        if len(record.cells) == len(columns) and is_one_line:
            rows.append(Row(record.line, dict(zip(columns, record.cells, strict=True))))
        else:
            malformed.append(record)
    return AnyLog(
        path,
        columns,
        tuple(rows),
        tuple(malformed),
        torn,
        is_ended,
        remarks=decoded.remarks + table.remarks,
        in_ms=table.in_ms,
    )


def require_existing(path: Path) -> None:
    """Check that a log exists.

    Raises:
        LogError: The log is missing.
    """
    if not path.exists():
        raise LogError(f"{path} does not exist. `automoe profile --log {path}` makes it.")


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


def records_of(text: str, delimiter: str = ",", *, n_added: int = 0) -> list[Record]:
    """Return the records of a CSV that are not blank.

    Lines end where Python's CSV parser ends them. Form feeds and the separators U+0085 and U+2028
    remain in their cells, where `str.splitlines` would cut.

    Args:
        text: The CSV.
        delimiter: The character between cells.
        n_added: The number of first lines that the file does not have. They are not counted.
    """
    records = list(_records(text, delimiter, n_added))
    if records:
        records[-1] = replace(records[-1], is_last=True)
    return records


def _records(text: str, delimiter: str, n_added: int) -> Iterator[Record]:
    # A cell may hold a routing trace of any size. The limit belongs to the whole csv module.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    line = 1 - n_added
    while True:
        cells: tuple[str, ...] = ()
        error = ""
        try:
            cells = tuple(cell.strip() for cell in next(reader))
        except StopIteration:
            return
        except csv.Error as problem:
            error = str(problem)
        if error or any(cells):
            yield Record(line, max(line, reader.line_num - n_added), cells, error)
        line = reader.line_num + 1 - n_added


def _require_names(path: Path, header: Record) -> None:
    """Check that the first line holds names.

    Raises:
        LogError: It holds measurements.
    """
    numeric = [cell for cell in header.cells if not isnan(number(cell))]
    has_fraction = any(not number(cell).is_integer() for cell in numeric)
    if numeric and (has_fraction or 2 * len(numeric) >= len(header.cells)):
        raise LogError(
            f"{path} has no header: line {header.line} holds a measurement, "
            f"{','.join(header.cells)[:60]!r}. Put a line with the names of the columns above it."
        )


def _named(columns: tuple[str, ...], records: list[Record]) -> tuple[tuple[str, ...], list[Record]]:
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
    if len(records) < 2 or any(len(x.cells) != n_cells for x in records) or set(columns) >= _OURS:
        return columns, records
    if not any(record.cells[-1] for record in records):
        return columns, [replace(record, cells=record.cells[:-1]) for record in records]
    first = [record.cells[0] for record in records]
    are_counted = first == [str(i) for i in range(1, len(first) + 1)]
    if are_counted or (len(set(first)) == len(first) and all(isnan(number(x)) for x in first)):
        return (_INDEX, *columns), records
    return columns, records


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A table whose numbers are as Python reads them, see `AnyLog`."""

    columns: tuple[str, ...]
    records: list[Record]
    remarks: tuple[str, ...]
    in_ms: frozenset[str]


def _with_numbers(
    columns: tuple[str, ...], records: list[Record], *, content: str, delimiter: str, path: Path
) -> _Numbers:
    """Return the table without separators of thousands and units; a log of ours has no units."""
    whole = [x for x in records if len(x.cells) == len(columns)]
    others = [x for x in records if len(x.cells) != len(columns)]
    rows = [record.cells for record in whole]
    remarks: tuple[str, ...] = ()
    units = None
    if not set(columns) >= _OURS:
        columns, sized, remarks = with_sizes(columns, rows)
        kept = [(x, y) for x, y in zip(whole, sized, strict=True) if y is not None]
        n_kept = len(kept) - n_summaries([cells for _, cells in kept])
        of_summaries = tuple(
            f"line {x.line} begins with {next(filter(None, y))!r}, so it sums up the others and is "
            "left out"
            for x, y in kept[n_kept:]
        )
        kept, remarks = kept[:n_kept], remarks + of_summaries
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
    return _Numbers(columns, numbers, remarks, units.in_ms if units else frozenset())
