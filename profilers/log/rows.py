"""This module writes a row of a latency log as a line, and checks the lines that are read."""

import csv
import io
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from profilers.log.conditions import DETAILS, ONE_PER_LOG

IDENTITY_COLUMNS = (
    *("schema_version", "point_id", "device", "device_model", "device_fingerprint"),
    *("power_mode", "runtime", "threads"),
)
NUMBER_COLUMNS = (
    *("latency_ms", "ci_low_ms", "ci_high_ms", "raw_latency_ms", "cpu_ms", "min_ms", "mad_ms"),
    *("sentinel_ms", "sentinel_reference_ms", "sentinel_drift", "wall_over_cpu"),
    *("n_samples", "n_blocks", "n_processes", "load_ms"),
)
# These are blank when there are too few samples or the kernel does not tell.
OPTIONAL_NUMBER_COLUMNS = ("p90_ms", "p95_ms", "p99_ms", "cpu_mhz", "temperature_c")
# Only machines with a meter have these. Different meters measure the energy of different parts.
METER_COLUMNS = ("energy_mj", "energy_meter")
# A log may lack these although new rows have them: its first row was written without a meter, or
# by a version that did not write them. No version writes `drift_share` any more.
LATER_COLUMNS = (*METER_COLUMNS, *DETAILS, "drift_share")
TEXT_COLUMNS = (
    *("sentinel", "tokens_per_expert", "stop_reason", "quality", "flags", "measured_at"),
)
REQUIRED_COLUMNS = (*IDENTITY_COLUMNS, *NUMBER_COLUMNS, *OPTIONAL_NUMBER_COLUMNS, *TEXT_COLUMNS)
_DELETE_LINE = "Delete the line; resuming measures its point again."


class LogError(ValueError):
    """A log cannot be read, or a row does not belong in it."""


def format_line(cells: Sequence[object]) -> bytes:
    """Return one CSV line.

    Raises:
        LogError: A cell holds a line break. A row must be one line, so that a torn one is seen.
    """
    for cell in cells:
        if "\n" in str(cell) or "\r" in str(cell):
            raise LogError(f"A cell must not hold a line break. Got {str(cell)!r:.60}. Remove it.")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def require_columns(columns: Sequence[str], path: Path) -> None:
    """Check that a header is that of a latency log.

    Raises:
        LogError: A column that every log has is missing, or a column comes twice.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise LogError(
            f"{path}, line 1: column {missing[0]!r} is missing, so this is not a latency log. "
            f"Got {', '.join(map(repr, columns[:4]))}... Give the log that `automoe profile` wrote."
        )
    if len(set(columns)) < len(columns):
        raise LogError(f"{path}, line 1: a column comes twice. Correct the header.")


def require_results(row: Mapping[str, str], *, path: Path, line: int) -> None:
    """Check that the results in a row are numbers.

    Raises:
        LogError: A result is not a finite number from 0 up.
    """
    optional = (*OPTIONAL_NUMBER_COLUMNS, *(["energy_mj"] if "energy_mj" in row else []))
    for name in (*NUMBER_COLUMNS, *optional):
        may_be_blank = name in optional
        if not _is_number(row[name]) and not (may_be_blank and row[name] == ""):
            raise LogError(
                f"{path}, line {line}: {name!r} must be a finite number from 0 up. "
                f"Got {row[name]!r}. {_DELETE_LINE}"
            )


def malformed_row(
    n_columns: int, n_cells: int, *, path: Path, line: int, error: str = ""
) -> LogError:
    """Return the error for a record that is not a row; ``error`` is that of the CSV parser."""
    if error:
        return LogError(f"{path}, line {line}: {error}. {_DELETE_LINE}")
    if n_cells == n_columns:
        return LogError(f"{path}, line {line}: a row must be one line. {_DELETE_LINE}")
    return LogError(
        f"{path}, line {line}: a row must have {n_columns} fields as the header. "
        f"Got {n_cells}. {_DELETE_LINE}"
    )


def require_same(expected: Mapping[str, str], got: Mapping[str, object], path: Path) -> None:
    """Check that two rows were measured under the same conditions.

    Args:
        expected: A row of the log.
        got: The values of a new row, or some of them.
        path: The log that holds `expected`.

    Raises:
        LogError: A condition differs or `expected` lacks it. The message gives both values.
    """
    for name in ONE_PER_LOG:
        if name in got and name not in expected:
            raise LogError(
                f"{path} has no column {name!r}, which must be the same in every row. "
                f"Use another log."
            )
        if name in got and str(got[name]).strip() != expected[name]:
            why = (
                "Releases with different numbers time other graphs, or in another way"
                if name == "schema_version"
                else "Measurements of different conditions do not mix"
            )
            raise LogError(
                f"{name!r} must be {expected[name]!r} as in {path}. Got {str(got[name])!r}. "
                f"{why}: use another log."
            )


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < inf  # this is false for NaN
    except ValueError:
        return False
