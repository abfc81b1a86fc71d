"""This module is the only reader of CSV files: logs of `automoe profile`, of others, and tables.

It keeps malformed rows. Its callers decide what to do about them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from devices.shown import Shown
from profilers.log.decoding import Decoded
from profilers.log.headers import OURS, named, require_names, require_no_header_below
from profilers.log.log_rows import HeldRows, Row, Rows
from profilers.log.long_log import read_long
from profilers.log.plain_tables import with_plain_numbers
from profilers.log.records import Record, number, records_of
from profilers.log.rows import LogError
from profilers.log.table_forms import content_of, delimiter_of, without_named_delimiter
from profilers.log.units import Unit, unit_of

_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, repr=False)
class AnyLog(Shown):
    """A CSV with a header.

    Attributes:
        path: The file.
        header: The names of the columns of the file. A repeated name is in it twice.
        columns: The same, where names do not hold sizes or cells do not hold commands, of which
            columns are made.
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
    header: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Rows
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
        return set(self.columns) >= OURS

    @property
    def reads_alone(self) -> bool:
        """Return whether each cell means the same in a table with commas between its cells.

        That is not so for decimal commas and separators of thousands.
        """
        return all(_reads_alone(row, self.header) for row in self.rows)

    def unit_of(self, column: str, given: str | None = None) -> Unit:
        """Return the unit of a column of latencies, see `profilers.log.units.unit_of`.

        Raises:
            LogError: The user's unit is unknown, or is not the one that the column tells.
        """
        return unit_of(column, self.columns, given, in_ms=self.in_ms)

    def may_be_latency(self, column: str) -> bool:
        """Return whether a column holds several different numbers above 0."""
        values = self.rows.numbers(column)
        return len(np.unique(values[values > 0])) > 1


def read_any_log(
    path: Path | str, *, n_lines: int | None = None, held: Collection[str] | None = None
) -> AnyLog:
    """Read a CSV, with its malformed records.

    Cells may be separated by commas, semicolons or tabs. Decimal commas and separators of thousands
    are taken out of numbers (see `profilers.log.written_numbers`), and so are units (see
    `profilers.log.units_in_cells`). A first column without a name, which pandas and R write, is
    called `Unnamed: 0`, as pandas calls it. A last column that is blank everywhere is left out.

    Args:
        path: The file.
        n_lines: The number of lines that are read; None for all.
        held: The columns of a long log that are held in memory; None for all. The others are read
            again when somebody asks for them, which takes longer.

    Raises:
        LogError: The file is missing, empty, or not a CSV with a header.
        OSError: The file cannot be read.
    """
    path = Path(path)
    require_existing(path)
    long = read_long(path, held) if n_lines is None else None
    if long is None:
        return log_in(content_of(path, n_lines), path)
    is_ended = long.torn is None
    return AnyLog(
        path, long.columns, long.columns, long.rows, long.malformed, long.torn, is_ended=is_ended
    )


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
    require_names(path, header)
    require_no_header_below(path, header, records)
    names, records = named(header.cells, records)
    as_written = {record.line: record.cells for record in records}
    table = with_plain_numbers(names, records, content=content, delimiter=delimiter, path=path)
    columns, records = table.columns, table.records
    is_ours = set(columns) >= OURS
    torn = None
    is_own_form = delimiter == "," and "\r" not in content.partition("\n")[0]
    if is_ours and not is_ended and is_own_form:
        torn = (records.pop() if records else header).line
    rows: list[Row] = []
    malformed = [header] if header.error else []
    for record in records:
        is_one_line = record.line == record.last_line or not is_ours
        if len(record.cells) == len(columns) and is_one_line:
            cells = dict(zip(columns, record.cells, strict=True))
            rows.append(Row(record.line, cells, as_written[record.line]))
        else:
            malformed.append(record)
    return AnyLog(
        path,
        names,
        columns,
        HeldRows(rows),
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


def _reads_alone(row: Row, header: tuple[str, ...]) -> bool:
    for name, cell in zip(header, row.as_written, strict=True):
        alone, value = number(cell), row.number(name)
        has_unit = isnan(alone) and "," not in cell and _LETTER.search(cell) is not None
        if not (isnan(value) or alone == value or has_unit):
            return False
    return True
