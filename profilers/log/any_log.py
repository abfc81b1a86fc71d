"""The one reader of CSV files: logs of `automoe profile`, logs of others, tables to predict.

It does not stop at what is wrong with a row: that is for its callers to say.
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

# No size, count or latency of a log is larger. Its square fits in double precision, and itself in
# the single precision of XGBoost.
LARGEST: Final = 1e20

_OURS = {"point_id", "latency_ms", "ci_low_ms", "ci_high_ms", "sentinel_ms", "measured_at"}


@dataclass(frozen=True, slots=True)
class Record:
    """What a CSV parser reads at once: a line, or several when a quoted cell has line breaks.

    Attributes:
        line: Where it starts in the file; the first line is 1.
        last_line: Where it ends.
        cells: Its fields, without spaces around them; empty when it is no CSV.
        error: Why it is no CSV; else empty.
        is_last: Whether the file holds no other record after it.
    """

    line: int
    last_line: int
    cells: tuple[str, ...]
    error: str = ""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: Where it starts in the file; the header is line 1.
        cells: Text by column.
    """

    line: int
    cells: Mapping[str, str]

    def number(self, column: str) -> float:
        """The cell as a number up to `LARGEST`; NaN when it is none or the column is absent."""
        return number(self.cells.get(column, ""))


@dataclass(frozen=True, slots=True)
class AnyLog:
    """A CSV with a header.

    Attributes:
        path: The file.
        columns: Names in the header, also of columns that come twice.
        rows: The rows that have as many fields as the header, in the order of the file.
        malformed: The records that have more or fewer, or are no CSV. In a log of ours a row of
            several lines is malformed too.
        torn: The last line, when it is one of ours and does not end: a write was cut off there.
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
        """Whether it has the columns that `automoe profile` has always written."""
        return set(self.columns) >= _OURS


def number(text: str) -> float:
    """The text as a number up to `LARGEST`; NaN when it is none."""
    try:
        value = float(text)
    except ValueError:
        return nan
    return value if abs(value) <= LARGEST else nan


def read_any_log(path: Path, *, n_lines: int | None = None) -> AnyLog:
    """Read a CSV, with all that is wrong in it.

    Args:
        path: The file.
        n_lines: How many of its first lines are read; None for all.

    Raises:
        LogError: The file is missing, empty, or no CSV with a header.
        OSError: It cannot be read.
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
    """Check that there is a log to read.

    Raises:
        LogError: It is missing.
    """
    if not path.exists():
        raise LogError(f"{path} does not exist. `automoe profile --log {path}` makes it.")


def records_of(text: str) -> list[Record]:
    """The records of a CSV that are not blank.

    Lines end where a CSV parser ends them. Unlike `str.splitlines` it leaves form feeds and the
    separators U+0085 and U+2028 in their cells.
    """
    records = list(_records(text))
    if records:
        records[-1] = replace(records[-1], is_last=True)
    return records


def _records(text: str) -> Iterator[Record]:
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
    """The text of the file, without the bytes of a last letter that a write has cut in two."""
    require_existing(path)
    with path.open("rb") as file:
        data = file.read() if n_lines is None else b"".join(islice(file, n_lines))
    try:
        content = codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError as error:
        raise LogError(f"{path} must be a CSV in UTF-8. Got {error.reason}. Save it so.") from None
    if "\0" in content or not content.strip():
        got = "a file with zero bytes in it" if content.strip() else "an empty file"
        raise LogError(f"{path} must be a CSV with a header line. Got {got}.")
    return content
