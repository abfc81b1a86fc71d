"""Reading a CSV of measurements, whoever wrote it, so that it can be judged.

Unlike `read_log` it does not stop at what is wrong with a row: that is for the checks to say.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Final

from profilers.log.latency_log import require_existing
from profilers.log.rows import LogError

# No size, count or latency of a log is larger. Its square fits in double precision, and itself in
# the single precision of XGBoost.
LARGEST: Final = 1e20

_OURS = {"point_id", "latency_ms", "ci_low_ms", "ci_high_ms", "sentinel_ms", "measured_at"}


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
        malformed: The lines that have more or fewer, or are no CSV.
        torn: The last line, when it is one of ours and does not end: a write was cut off there.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    malformed: tuple[int, ...]
    torn: int | None

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


def read_any_log(path: Path) -> AnyLog:
    """Whatever can be read of a CSV.

    Raises:
        LogError: The file is missing, empty, or no CSV with a header.
    """
    content = _content(path)
    records = list(_records(content))
    columns = tuple(records[0][2] or ())
    if len(columns) < 2:
        raise LogError(
            f"{path}, line 1: a log must have a latency and what it depends on, in columns "
            f"separated by commas. Got {len(columns)} column, {content.strip()[:40]!r}."
        )
    log = AnyLog(path, columns, (), (), None)
    torn = None
    if log.is_ours and not content.endswith("\n"):
        torn = records.pop()[0]
    rows: list[Row] = []
    malformed: list[int] = []
    for first, last, cells in records[1:]:
        if cells is not None and len(cells) == len(columns):
            rows.append(Row(first, dict(zip(columns, cells, strict=True))))
        else:
            malformed.extend(range(first, last + 1))
    return AnyLog(path, columns, tuple(rows), tuple(malformed), torn)


def _content(path: Path) -> str:
    require_existing(path)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LogError(f"{path} must be a CSV in UTF-8. Got {error.reason}. Save it so.") from None
    if "\0" in content or not content.strip():
        found = "a file with zero bytes in it" if content.strip() else "an empty file"
        raise LogError(f"{path} must be a CSV with a header line. Got {found}.")
    return content


def _records(content: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """First line, last line and fields of every record that is not blank; no fields if broken."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    first = 1
    while True:
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells is None or any(cell.strip() for cell in cells):
            yield first, max(first, reader.line_num), cells and [cell.strip() for cell in cells]
        first = reader.line_num + 1
