"""What a log holds, whether it may be fitted as it is, and how two become one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median
from typing import Literal

from profilers.log import complete_lines, read_log, require_new, samples_path, write_new
from profilers.statistics import lag1_correlation
from profilers.table import CONDITION_COLUMNS, LogError, format_line, require_same

_MAX_FLAGGED_SHARE = 0.2
_MAX_SENTINEL_SPREAD = 0.05
_MIN_ROWS_FOR_DRIFT = 8
_UNITLESS = ("latency", "time", "duration", "energy", "memory")

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log that a fit would suffer from.

    Attributes:
        check: Short name of the check.
        severity: "warning" (know it) or "problem" (do not fit the log as it is).
        message: What was found, with its value.
        remedy: What to do about it.
    """

    check: str
    severity: Literal["warning", "problem"]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What a log holds.

    Attributes:
        rows: Number of rows.
        points: Number of different points.
        devices: Name, model and fingerprint of each device, sorted.
        runtimes: Name and version of each runtime, sorted.
        flags: How many rows carry each flag.
        latency_min_ms: The fastest point; None in an empty log, as below.
        latency_median_ms: The median over points.
        latency_max_ms: The slowest point.
        first_at: When the first row was measured, UTC.
        last_at: When the last row was measured, UTC.
    """

    rows: int
    points: int
    devices: tuple[str, ...]
    runtimes: tuple[str, ...]
    flags: dict[str, int]
    latency_min_ms: float | None
    latency_median_ms: float | None
    latency_max_ms: float | None
    first_at: str | None
    last_at: str | None


def summarise(path: Path) -> LogSummary:
    """What the log at `path` holds.

    Raises:
        LogError: It cannot be read.
    """
    rows = _read_existing(path)
    latencies = [float(row["latency_ms"]) for row in rows]
    times = [row["measured_at"] for row in rows]
    return LogSummary(
        rows=len(rows),
        points=len({row["point_id"] for row in rows}),
        devices=tuple(sorted({_device(row) for row in rows})),
        runtimes=tuple(sorted({row["runtime"] for row in rows})),
        flags=dict(Counter(flag for row in rows for flag in _flags(row))),
        latency_min_ms=min(latencies, default=None),
        latency_median_ms=median(latencies) if latencies else None,
        latency_max_ms=max(latencies, default=None),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def check(path: Path, *, condition_columns: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Everything in the log that a fit would suffer from; empty when it is sound.

    Args:
        path: The log.
        condition_columns: The caller's columns that should be the same in every row.

    Raises:
        LogError: It cannot be read.
    """
    rows = _read_existing(path)
    checks: tuple[Callable[[Rows], list[Problem]], ...] = (
        lambda rows: _mixed(rows, (*CONDITION_COLUMNS, *condition_columns)),
        _duplicates,
        _wandering,
        _flagged,
        _without_unit,
    )
    return tuple(problem for run in checks for problem in run(rows))


def merge(paths: Sequence[Path], out: Path, *, condition_columns: Sequence[str] = ()) -> int:
    """Write the rows of several logs into a new one, and their raw samples beside it.

    A row that is in two logs is written once.

    Returns:
        The number of rows written.

    Raises:
        LogError: Conditions or columns differ between the logs, there are no rows, or `out` or
            its samples exist.
    """
    rows = [(path, row) for path in paths for row in _read_existing(path)]
    if not rows:
        raise LogError("There is nothing to merge: no log has a row.")
    first_path, first = rows[0]
    for path, row in rows:
        if row.keys() != first.keys():
            odd = sorted(row.keys() ^ first.keys())
            raise LogError(f"{path} and {first_path} must have the same columns. Got {odd} in one.")
        require_same(first, row, (*CONDITION_COLUMNS, *condition_columns), first_path)
    for target in (out, samples_path(out)):
        require_new(target)
    unique = {tuple(row[name] for name in first): None for _, row in rows}
    write_new(out, b"".join(format_line(cells) for cells in (tuple(first), *unique)))
    raw = dict.fromkeys(line for path in paths for line in complete_lines(samples_path(path)))
    write_new(samples_path(out), b"".join(raw))
    return len(unique)


def _read_existing(path: Path) -> Rows:
    if not path.exists():
        raise LogError(f"{path} does not exist. `automoe profile --log {path}` makes it.")
    return read_log(path)


def _mixed(rows: Rows, columns: Sequence[str]) -> list[Problem]:
    problems = []
    for name in columns:
        values = sorted({row[name] for row in rows if name in row})
        if len(values) > 1:
            message = f"{name!r} takes {len(values)} values: {', '.join(values[:4])}"
            remedy = "split the log by that column and fit each part"
            problems.append(Problem("mixed", "problem", message, remedy))
    return problems


def _duplicates(rows: Rows) -> list[Problem]:
    counts = Counter(row["point_id"] for row in rows)
    twice = [point_id for point_id, count in counts.items() if count > 1]
    if not twice:
        return []
    message = f"{len(twice)} points have more than one row, e.g. {twice[0]}"
    return [Problem("duplicates", "warning", message, "keep one row per point")]


def _wandering(rows: Rows) -> list[Problem]:
    """The sentinel should scatter like noise; neighbours that resemble each other drift."""
    ordered = sorted(rows, key=lambda row: row["measured_at"])
    sentinel_ms = [float(row["sentinel_ms"]) for row in ordered]
    if len(sentinel_ms) < _MIN_ROWS_FOR_DRIFT:
        return []
    spread = max(sentinel_ms) / max(min(sentinel_ms), 1e-9) - 1
    correlation = lag1_correlation(sentinel_ms)
    if spread <= _MAX_SENTINEL_SPREAD or correlation <= 2 / sqrt(len(sentinel_ms)):
        return []
    message = (
        f"the sentinel drifted by {spread:.0%} over the session "
        f"(lag-1 correlation {correlation:.2f})"
    )
    remedy = "find what changed (`automoe doctor`), then measure again into another log"
    return [Problem("drift", "problem", message, remedy)]


def _flagged(rows: Rows) -> list[Problem]:
    flagged = [row for row in rows if _flags(row)]
    if not rows or len(flagged) / len(rows) <= _MAX_FLAGGED_SHARE:
        return []
    counts = Counter(flag for row in flagged for flag in _flags(row))
    detail = ", ".join(f"{flag} {count}" for flag, count in counts.most_common())
    message = f"{len(flagged)} of {len(rows)} rows are flagged ({detail})"
    remedy = "run `automoe doctor`, quieten the machine and measure again"
    return [Problem("flagged", "warning", message, remedy)]


def _without_unit(rows: Rows) -> list[Problem]:
    names = [name for name in (rows[0] if rows else {}) if name.lower() in _UNITLESS]
    remedy = "rename it with its unit, e.g. latency_ms"
    return [Problem("unit", "problem", f"column {name!r} has no unit", remedy) for name in names]


def _device(row: dict[str, str]) -> str:
    return f"{row['device']} {row['device_model']} {row['device_fingerprint']}"


def _flags(row: dict[str, str]) -> list[str]:
    return [flag for flag in row["flags"].split(";") if flag]
