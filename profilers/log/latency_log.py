"""This module appends to the latency log, a CSV that survives kills, full disks and two writers."""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from filelock import FileLock, Timeout

from devices.runtimes import TENSORRT, TENSORRT_RTX
from profilers.log.any_log import AnyLog, read_any_log, require_existing
from profilers.log.records import records_of
from profilers.log.resaved import put_back
from profilers.log.rows import (
    IDENTITY_COLUMNS,
    LATER_COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    LogError,
    format_line,
    malformed_row,
    require_columns,
    require_results,
    require_same,
)
from profilers.measuring.measurement import Measurement

CHECKED: Final = (*NUMBER_COLUMNS, *OPTIONAL_NUMBER_COLUMNS, "energy_mj")
_LOCK_SECONDS = 60.0
_TAIL = 2**16  # bytes


class LatencyLog:
    """The log at `path`. The file is created with the first row.

    A last line that was torn by a crash is moved to `<log>.torn` when the log is opened. A log that
    a spreadsheet saved is put back into its own form (see `profilers.log.resaved`).

    Args:
        path: The CSV file. Its sidecar is `<log>.samples.jsonl`.

    Attributes:
        repaired: One message for each torn line that was moved, and for a change of the form.

    Raises:
        LogError: The file is not a latency log, or another program holds its lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _writing(path):
            changes = [
                put_back(path, samples_path(path)),
                _repair(path, is_csv=True),
                _repair(samples_path(path), is_csv=False),
            ]
        self.repaired = tuple(message for message in changes if message)
        _first_row(path)

    def done(self) -> set[str]:
        """Return the ids of the points that are measured already.

        Raises:
            LogError: A line is malformed.
        """
        log = _read_own(self.path, held=(*CHECKED, "point_id"))
        if log is None:
            return set()
        require_sound(log)
        return set(log.rows.texts("point_id"))

    def measuring(self) -> contextlib.AbstractContextManager[None]:
        """Keep other sessions out while this one measures into the log.

        The context manager raises a `LogError` when another session is measuring into it.
        """
        busy = "is being measured into by another session. Wait for it to end, or use another log."
        return _locked(f"{self.path}.session.lock", 0, f"{self.path} {busy}")

    def sentinel_reference_ms(self, sentinel: str) -> float | None:
        """Return the level to which earlier sessions corrected; None in an empty log.

        Raises:
            LogError: They had another sentinel, so that new rows would not be comparable.
        """
        first = _first_row(self.path)
        if first is None:
            return None
        if first["sentinel"] != sentinel:
            raise LogError(
                f"{self.path} was begun with another space, model or release: its sentinel is "
                f"{first['sentinel']!r}. Got {sentinel!r}. Repeat its --space, --max-experts and "
                "--fractional (or its --archs or --model), or use another --log."
            )
        return float(first["sentinel_reference_ms"])

    def require(self, conditions: Mapping[str, object]) -> None:
        """Check, before anything is measured, that rows with these values may be appended.

        Args:
            conditions: The values by column. Columns that are not conditions are ignored.

        Raises:
            LogError: A condition differs from that of the log.
        """
        if (first := _first_row(self.path)) is not None:
            require_same(first, conditions, self.path)

    def require_runtime(self, runtime: str) -> None:
        """Check, before anything is measured, that rows of this runtime may be appended.

        Rows of TensorRT and rows of another runtime must not be in one log. The runtime's version
        is known only when a worker runs. It is compared when a row is appended.

        Raises:
            LogError: The rows of the log are of another runtime, and one of the two is TensorRT.
        """
        first = _first_row(self.path)
        own = first["runtime"].partition(" ")[0] if first is not None else runtime
        if own != runtime and not {own, runtime}.isdisjoint((TENSORRT, TENSORRT_RTX)):
            raise LogError(
                f"'runtime' must be {own!r} as in {self.path}. Got {runtime!r}. Measurements of "
                f"different conditions do not mix: use another log."
            )

    def append(self, measurement: Measurement) -> None:
        """Write the samples, then the row, and force both to the disk.

        Raises:
            LogError: The row's conditions or columns differ from those of the log.
            OSError: The disk is full. The log is left as it was.
        """
        row = measurement.row()
        samples = {
            "point_id": measurement.point_id,
            "measured_at": measurement.measured_at,
            "blocks": list(measurement.samples),
        }
        with _writing(self.path):
            header = self._require_fits(row)
            line = format_line([row.get(name, "") for name in header or row])
            _append(samples_path(self.path), json.dumps(samples).encode() + b"\n")
            _append(self.path, line if header else format_line(list(row)) + line)

    def _require_fits(self, row: Mapping[str, object]) -> list[str] | None:
        """Return the header, after a check that the row fits; None when the log is empty."""
        log = _read_own(self.path, n_lines=1)
        if log is None:
            return None
        header = list(log.columns)
        odd = sorted((set(header) ^ set(row)) - set(LATER_COLUMNS))
        if odd:
            where = "the log has" if odd[0] in header else "the row has"
            raise LogError(
                f"The columns must be those of {self.path}. Only {where} {odd[0]!r}. "
                f"Use another log."
            )
        self.require(row)
        return header


def samples_path(path: Path) -> Path:
    """Return the path of the sidecar of the log at `path`."""
    return path.with_name(f"{path.name}.samples.jsonl")


def require_sound(log: AnyLog) -> None:
    """Check that every record of a log is a row and every result a number.

    Raises:
        LogError: A record is not a row, or a result is not a number.
    """
    for record in log.malformed:
        raise malformed_row(
            len(log.columns),
            len(record.cells),
            path=log.path,
            line=record.line,
            error=record.error,
        )
    is_doubtful = np.zeros(len(log.rows), dtype=np.bool_)
    for name in CHECKED:
        if name in log.columns:
            is_number = log.rows.numbers(name) >= 0
            if name not in NUMBER_COLUMNS and not is_number.all():
                is_number |= log.rows.is_blank(name)
            is_doubtful |= ~is_number
    for place in np.flatnonzero(is_doubtful):
        row = log.rows[int(place)]
        require_results(row.cells, path=log.path, line=row.line)


def read_log(path: Path) -> list[dict[str, str]]:
    """Return the rows, as text by column. A torn last line is left out.

    Raises:
        LogError: A line is malformed. The message names the file, line, field and remedy.
    """
    log = _read_own(path)
    return [] if log is None else _sound_rows(log)


def sentinel_of_log(path: Path) -> str | None:
    """Return the name of the sentinel of a log's rows; None when there is no row.

    Raises:
        LogError: The file is not a latency log.
    """
    first = _first_row(path)
    return None if first is None else first["sentinel"]


def reference_level_ms(path: Path, sentinel: str) -> float:
    """Return the level of the sentinel to which a log's rows are corrected.

    Raises:
        LogError: The log is missing, has no row or another sentinel, or a line is malformed.
    """
    require_existing(path)
    rows = read_log(path)
    levels = [float(row["sentinel_reference_ms"]) for row in rows if row["sentinel"] == sentinel]
    if not levels:
        others = ", ".join(map(repr, sorted({row["sentinel"] for row in rows})))
        raise LogError(
            f"{path} must have rows with the sentinel {sentinel!r} to be a reference. "
            f"Got {others}. Give a log of the same space, --max-experts and --fractional."
        )
    return levels[0]


def require_conditions(path: Path, conditions: Mapping[str, object]) -> None:
    """Check that a log was measured under these conditions, see ``LatencyLog.require``.

    Raises:
        LogError: The log is missing, or one of its conditions differs.
    """
    require_existing(path)
    if (first := _first_row(path)) is not None:
        require_same(first, conditions, path)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet.

    Raises:
        LogError: The file exists.
    """
    require_new(path)
    _append(path, content)


def require_new(path: Path) -> None:
    """Check that a file does not exist.

    Raises:
        LogError: The file exists.
    """
    if path.exists():
        raise LogError(f"{path} must not exist. Delete it or give another name.")


def complete_lines(path: Path) -> list[bytes]:
    """Return the lines of a file that end with a line break. A missing file has none."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [line for line in file if line.endswith(b"\n")]


def _read_own(
    path: Path, *, n_lines: int | None = None, held: Collection[str] | None = None
) -> AnyLog | None:
    """Read a log of `automoe profile`. Return None when no line of it is complete.

    The arguments are those of `read_any_log`.

    Raises:
        LogError: The file is not a latency log.
    """
    if not path.exists():
        return None
    if path.is_file():  # a pipe is read only once, and its writer ended its lines
        with path.open("rb") as file:
            if not file.readline().endswith(b"\n"):
                return None
    log = read_any_log(path, n_lines=n_lines, held=held)
    require_columns(log.columns, path)
    return log


def _sound_rows(log: AnyLog) -> list[dict[str, str]]:
    """Return the rows of a log, see `require_sound`."""
    require_sound(log)
    return [dict(row.cells) for row in log.rows]


def _first_row(path: Path) -> dict[str, str] | None:
    """Return the first row, without reading the others; None when the log is empty."""
    log = _read_own(path, n_lines=2)
    return next(iter(_sound_rows(log)), None) if log else None


def _writing(path: Path) -> contextlib.AbstractContextManager[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    held = f"is held by another program for {_LOCK_SECONDS:g} s. Wait for it to end or use another"
    return _locked(f"{path}.lock", _LOCK_SECONDS, f"{path}.lock {held} log.")


@contextlib.contextmanager
def _locked(lock: str, timeout_s: float, message: str) -> Iterator[None]:
    try:
        with FileLock(lock, timeout=timeout_s):
            yield
    except Timeout:
        if not Path(lock).exists():  # some folders, such as those of /proc, hold no files of users
            raise LogError(
                f"{lock} cannot be made. Use a log in a folder that holds new files."
            ) from None
        raise LogError(message) from None


def _append(path: Path, content: bytes) -> None:
    """Append in one write and force it to the disk. An incomplete write is undone."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        if file.write(content) != len(content):
            file.truncate(size)
            raise OSError(f"{path}: only part of a row could be written. Free disk space.")
        os.fsync(file.fileno())


def _repair(path: Path, *, is_csv: bool) -> str | None:
    """Move a torn last line into another file, and return a message; None when it is whole."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        first, (start, last) = file.readline(), _last_line(file)
    if not first:
        return None
    if is_csv and not (start == 0 and _may_be_header(first)):
        require_columns(_cells(first), path)  # any other file is left as it is
    if last.endswith(b"\n") and not (is_csv and len(_cells(last)) != len(_cells(first))):
        return None
    aside = path.with_name(f"{path.name}.torn")
    _append(aside, last.rstrip(b"\n") + b"\n")
    with path.open("r+b") as file:
        file.truncate(start)
        os.fsync(file.fileno())
    return f"{path}: the last line was torn by a crash; it was moved to {aside}."


def _last_line(file: BinaryIO) -> tuple[int, bytes]:
    """Return the place of the first byte of the last line, and the line. A log may be long."""
    end = start = file.seek(0, os.SEEK_END)
    tail = b""
    while start and b"\n" not in tail[:-1]:
        size = min(start, max(_TAIL, len(tail)))
        start = file.seek(start - size)
        tail = file.read(size) + tail
    line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    return end - len(line), line


def _may_be_header(line: bytes) -> bool:
    """Return whether a line is the header of a log, or the beginning of it."""
    start = ",".join(IDENTITY_COLUMNS).encode()
    return start.startswith(line) or line.startswith(start)


def _cells(line: bytes) -> tuple[str, ...]:
    """Return the cells of one line; empty when it is blank or cannot be parsed."""
    records = records_of(line.decode("utf-8-sig", errors="replace"))
    return records[0].cells if records else ()
