"""This module is the only reader of CSV files: logs of `automoe profile`, of others, and tables.

It keeps malformed rows. Its callers decide what to do about them.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from math import nan
from pathlib import Path
from typing import Final

from profilers.log.rows import LogError

# The largest size, count or latency in a log. Its square fits in double precision, and the number
# itself in the single precision of XGBoost.
LARGEST: Final = 1e20

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


@dataclass(frozen=True, slots=True)
class AnyLog:
    """A CSV with a header.

    Attributes:
        path: The file.
        columns: The names in the header. A repeated name is in it twice.
        rows: The rows that have as many cells as the header, in the order of the file.
        malformed: The records with more or fewer cells, and those that cannot be parsed. In a log
            of `automoe profile` a row of several lines is malformed too.
        torn: The number of the last line when it is torn: the file is a log of `automoe profile`
            and does not end with a line break. None otherwise.
        is_ended: Whether the file ends with a line break.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    malformed: tuple[Record, ...]
    torn: int | None
    is_ended: bool

    @property
    def is_ours(self) -> bool:
        """Return whether it has the columns that every version of `automoe profile` writes."""
        return set(self.columns) >= _OURS


def number(text: str) -> float:
    """Return the text as a number; NaN when it is not a number or beyond `LARGEST`."""
    try:
        value = float(text)
    except ValueError:
        return nan
    return value if abs(value) <= LARGEST else nan


def read_any_log(path: Path, *, n_lines: int | None = None) -> AnyLog:
    """Read a CSV, with its malformed records.

    Args:
        path: The file.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is missing, empty, or not a CSV with a header.
        OSError: The file cannot be read.
    """
    content = _content(path, n_lines)
    is_ended = content.endswith(("\n", "\r"))
    header, *records = records_of(content) or [Record(1, 1, (), "the header has no name")]
    columns = header.cells
    is_ours = set(columns) >= _OURS
    torn = None
    if is_ours and not is_ended:
        torn = (records.pop() if records else header).line
    rows: list[Row] = []
    malformed = [header] if header.error else []
    for record in records:
        is_one_line = record.line == record.last_line or not is_ours
        if len(record.cells) == len(columns) and is_one_line:
            rows.append(Row(record.line, dict(zip(columns, record.cells, strict=True))))
        else:
            malformed.append(record)
    return AnyLog(path, columns, tuple(rows), tuple(malformed), torn, is_ended)


def require_existing(path: Path) -> None:
    """Check that a log exists.

    Raises:
        LogError: The log is missing.
    """
    if not path.exists():
        raise LogError(f"{path} does not exist. `automoe profile --log {path}` makes it.")


def records_of(text: str) -> list[Record]:
    """Return the records of a CSV that are not blank.

    Lines end where Python's CSV parser ends them. Form feeds and the separators U+0085 and U+2028
    remain in their cells, where `str.splitlines` would cut.
    """
    records = list(_records(text))
    if records:
        records[-1] = replace(records[-1], is_last=True)
    return records


def _records(text: str) -> Iterator[Record]:
    # A cell may hold a routing trace of any size. The limit belongs to the whole csv module.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
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
            yield Record(line, max(line, reader.line_num), cells, error)
        line = reader.line_num + 1


def _content(path: Path, n_lines: int | None) -> str:
    """Return the text of a file, without a last character of which only some bytes were written."""
    require_existing(path)
    with path.open("rb") as file:
        data = file.read() if n_lines is None else b"".join(islice(file, n_lines))
    try:
        content = codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError as error:
        raise LogError(f"{path} must be a CSV in UTF-8. Got {error.reason}. Convert it.") from None
    if "\0" in content or not content.strip():
        got = "a file with zero bytes in it" if content.strip() else "an empty file"
        raise LogError(f"{path} must be a CSV with a header line. Got {got}.")
    return content
