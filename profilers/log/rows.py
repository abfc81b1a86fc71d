"""The rows of a latency log: how a line is written, read back and judged well-formed."""

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

IDENTITY_COLUMNS = (
    *("schema_version", "point_id", "device", "device_model", "device_fingerprint"),
    *("power_mode", "runtime", "threads"),
)
CONDITION_COLUMNS = ("schema_version", "device_fingerprint", "power_mode", "runtime", "threads")
NUMBER_COLUMNS = (
    *("latency_ms", "ci_low_ms", "ci_high_ms", "raw_latency_ms", "cpu_ms", "min_ms", "mad_ms"),
    *("sentinel_ms", "sentinel_reference_ms", "sentinel_drift", "wall_over_cpu"),
    *("n_samples", "n_blocks", "n_processes", "load_ms"),
)
# Blank where there are too few samples or the kernel does not say.
OPTIONAL_NUMBER_COLUMNS = ("p90_ms", "p95_ms", "p99_ms", "cpu_mhz", "temperature_c")
# There on machines with a meter only. Energies of different meters are of different things.
METER_COLUMNS = ("energy_mj", "energy_meter")
TEXT_COLUMNS = (
    *("sentinel", "tokens_per_expert", "stop_reason", "quality", "flags", "measured_at"),
)
REQUIRED_COLUMNS = (
    *IDENTITY_COLUMNS,
    *NUMBER_COLUMNS,
    *OPTIONAL_NUMBER_COLUMNS,
    *TEXT_COLUMNS,
)


class LogError(ValueError):
    """A log that cannot be read, or a row that does not belong in it."""


def format_line(cells: Sequence[object]) -> bytes:
    """One CSV line.

    Raises:
        LogError: A cell holds a line break: a row must be one line, or a torn one is not found.
    """
    for cell in cells:
        if "\n" in str(cell) or "\r" in str(cell):
            raise LogError(f"A cell must not hold a line break. Got {str(cell)!r:.60}. Remove it.")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def parse_line(line: bytes) -> list[str]:
    """The cells of one CSV line; none when it is not CSV."""
    with contextlib.suppress(csv.Error):
        return next(csv.reader([line.decode("utf-8", errors="replace")]), [])
    return []


def parse_header(line: bytes, path: Path) -> list[str]:
    """The column names.

    Raises:
        LogError: A column every log has is missing, or one comes twice.
    """
    header = parse_line(line)
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if missing:
        raise LogError(
            f"{path}, line 1: column {missing[0]!r} is missing, so this is no latency log. "
            f"Got {header[:4]}... Give the log that `automoe profile` wrote."
        )
    if len(set(header)) < len(header):
        raise LogError(f"{path}, line 1: a column comes twice. Correct the header.")
    return header


def parse_row(line: bytes, header: Sequence[str], *, path: Path, number: int) -> dict[str, str]:
    """One row, checked.

    Raises:
        LogError: The number of fields is wrong, or a result is no finite number from 0 up.
    """
    cells = parse_line(line)
    if len(cells) != len(header):
        raise LogError(
            f"{path}, line {number}: a row must have {len(header)} fields as the header. "
            f"Got {len(cells)}. Delete the line; resuming measures its point again."
        )
    row = dict(zip(header, cells, strict=True))
    optional = (*OPTIONAL_NUMBER_COLUMNS, *(x for x in ("energy_mj",) if x in row))
    for name in (*NUMBER_COLUMNS, *optional):
        may_be_blank = name in optional
        if not _is_number(row[name]) and not (may_be_blank and row[name] == ""):
            raise LogError(
                f"{path}, line {number}: {name!r} must be a finite number from 0 up. "
                f"Got {row[name]!r}. Delete the line; resuming measures its point again."
            )
    return row


def require_same(
    expected: Mapping[str, str], got: Mapping[str, object], columns: Sequence[str], path: Path
) -> None:
    """Check that two rows were taken under the same conditions.

    Args:
        expected: The row that is there.
        got: The row, or the part of one, that is to join it.
        columns: The columns to compare, where `got` has them.
        path: The log `expected` is from.

    Raises:
        LogError: One column differs, and the message gives both values; or `expected` lacks it.
    """
    for name in columns:
        if name in got and name not in expected:
            raise LogError(
                f"{path} has no column {name!r}, which must be the same in every row. "
                f"Use another log."
            )
        if name in got and str(got[name]) != expected[name]:
            raise LogError(
                f"{name!r} must be {expected[name]!r} as in {path}. Got {str(got[name])!r}. "
                f"Measurements of different conditions do not mix: use another log."
            )


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < inf  # false for nan
    except ValueError:
        return False
