"""This module summarises a log, checks whether it may be fitted as it is, and merges logs."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from devices.shown import Shown
from profilers.audit import row_checks, trend_checks
from profilers.audit.columns import encode, find_conditions, find_features, find_targets, has_names
from profilers.audit.problem import Problem
from profilers.audit.residuals import unexplained
from profilers.log.any_log import AnyLog, read_any_log, require_existing
from profilers.log.headers import require_two_columns
from profilers.log.latency_log import (
    CHECKED,
    complete_lines,
    read_log,
    require_new,
    require_sound,
    samples_path,
    write_new,
)
from profilers.log.log_rows import Rows, sampled
from profilers.log.rows import (
    LATER_COLUMNS,
    LogError,
    format_line,
    require_columns,
    require_same,
)

_MOST_JUDGED: Final = 100_000  # latencies; the time grows with their number
_SEED: Final = 0
_DEVICE: Final = ("device", "device_model", "device_fingerprint")
SUMMARISED: Final = (*CHECKED, *_DEVICE, "point_id", "measured_at", "runtime", "flags", "quality")


@dataclass(frozen=True, slots=True, repr=False)
class Audit(Shown):
    """The outcome of the checks of a log.

    Attributes:
        rows: The number of rows that could be read.
        targets: The columns whose sum was taken for the latency.
        features: The columns from which the latency was predicted, to see what they do not
            explain.
        problems: The problems from which a fit would suffer; empty when the log is sound.
        conversions: A sentence for each target that was converted to milliseconds, and for each
            change of what the file holds, and for a drift that is taken out of the latencies.
    """

    rows: int
    targets: tuple[str, ...]
    features: tuple[str, ...]
    problems: tuple[Problem, ...]
    conversions: tuple[str, ...] = ()

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        numbered = enumerate(self.problems, start=1)
        told = {f"{each.severity} {number}": each.message for number, each in numbered}
        return {
            "rows": self.rows,
            "latency": " + ".join(self.targets),
            "features": len(self.features),
            **(told or {"problems": "none"}),
            "remarks": self.conversions,
        }


@dataclass(frozen=True, slots=True, repr=False)
class LogSummary(Shown):
    """A summary of a log. In an empty log, latencies and times are None.

    Attributes:
        rows: The number of rows.
        points: The number of different points.
        devices: The name, model and fingerprint of each device, sorted.
        runtimes: The name and version of each runtime, sorted.
        flags: The number of rows with each flag.
        qualities: The number of rows of each quality.
        latency_min_ms: The smallest latency.
        latency_median_ms: The median of the latencies.
        latency_max_ms: The largest latency.
        half_width_median: The median over rows of half the 95 % interval, as a share.
        first_at: The time at which the first row was measured, UTC.
        last_at: The time at which the last row was measured, UTC.
    """

    rows: int
    points: int
    devices: tuple[str, ...]
    runtimes: tuple[str, ...]
    flags: dict[str, int]
    qualities: dict[str, int]
    latency_min_ms: float | None
    latency_median_ms: float | None
    latency_max_ms: float | None
    half_width_median: float | None
    first_at: str | None
    last_at: str | None


def summarise(path: Path) -> LogSummary:
    """Return a summary of the log at `path`.

    Raises:
        LogError: The log cannot be read.
    """
    require_existing(path)
    return summary_of(read_any_log(path, held=SUMMARISED))


def summary_of(log: AnyLog) -> LogSummary:
    """Return a summary of a log that was read.

    Raises:
        LogError: It is not a latency log, or a line of it is malformed.
    """
    require_columns(log.columns, log.path)
    require_sound(log)
    rows = log.rows
    latencies = rows.numbers("latency_ms").tolist()
    half_widths = [
        (high - low) / (2 * latency)
        for low, latency, high in zip(
            rows.numbers("ci_low_ms").tolist(),
            latencies,
            rows.numbers("ci_high_ms").tolist(),
            strict=True,
        )
        if latency > 0
    ]
    times = rows.texts("measured_at")
    return LogSummary(
        rows=len(rows),
        points=len(set(rows.texts("point_id"))),
        devices=tuple(sorted(set(map(" ".join, zip(*map(rows.texts, _DEVICE), strict=True))))),
        runtimes=tuple(sorted(set(rows.texts("runtime")))),
        flags=dict(row_checks.flag_counts(rows.texts("flags"))),
        qualities=dict(sorted(Counter(rows.texts("quality")).items())),
        latency_min_ms=min(latencies, default=None),
        latency_median_ms=median(latencies) if latencies else None,
        latency_max_ms=max(latencies, default=None),
        half_width_median=median(half_widths) if half_widths else None,
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def audit_log(
    path: Path | str,
    *,
    targets: Sequence[str] = (),
    varied: Collection[str] = (),
    unit: str | None = None,
) -> Audit:
    """Judge any CSV of latencies: one that `automoe profile` wrote or one that others did.

    Args:
        path: The log.
        targets: The columns whose sum is the latency. By default these are the columns that look
            like a latency.
        varied: The conditions that differ from row to row on purpose.
        unit: The unit of the targets, `us`, `ms` or `s`, where no name tells it.

    Raises:
        LogError: The file is not a CSV, or no column is a latency, or a name tells another unit.
    """
    log = read_any_log(path)
    require_two_columns(log.columns, log.path)
    names = find_targets(log, targets)
    features = find_features(log, names, varied)
    conditions = [x for x in find_conditions(log) if x not in (*varied, *names)]
    problems = [
        *row_checks.malformed(log),
        *row_checks.simulated(log),
        *row_checks.impossible(log, names),
        *row_checks.units(log, names, unit),
        *row_checks.mixed(log.rows, conditions),
        *row_checks.duplicates(log),
        *row_checks.doubtful(log.rows),
    ]
    rows = _in_order(log, names)
    notes: list[str] = []
    if log.is_ours:
        problems += row_checks.inconsistent(rows)
        of_sentinel, note = trend_checks.wandering_sentinel(rows)
        problems += of_sentinel
        notes += filter(None, [note])
    if len(rows) > _MOST_JUDGED:
        notes.append(
            f"{_MOST_JUDGED} of {len(rows)} latencies are judged by the others, drawn at random "
            f"with seed {_SEED}; the other checks are of every row"
        )
        rows = sampled(rows, _MOST_JUDGED, _SEED)
    units = {name: log.unit_of(name, unit) for name in names}
    in_ms = {name: units[name].in_ms for name in names}
    with threadpool_limits(1):  # the systems are small: more threads only wait for each other
        problems += _unexplained(rows, in_ms, features)
    said = [text for name in names if (text := units[name].conversion(name))]
    return Audit(len(log.rows), names, features, tuple(problems), (*log.remarks, *said, *notes))


def check(path: Path, *, targets: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Return only the problems of `audit_log`."""
    return audit_log(path, targets=targets).problems


def merge(paths: Sequence[Path], out: Path) -> int:
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
        if odd := sorted((row.keys() ^ first.keys()) - set(LATER_COLUMNS)):
            listed = ", ".join(map(repr, odd))
            raise LogError(
                f"{path} and {first_path} must have the same columns. Only one has {listed}. "
                "Merge logs of the same version and options."
            )
        require_same(first, row, first_path)
    for target in (out, samples_path(out)):
        require_new(target)
    columns = tuple(dict.fromkeys(name for _, row in rows for name in row))
    unique = {tuple(row.get(name, "") for name in columns): None for _, row in rows}
    write_new(out, b"".join(map(format_line, (columns, *unique))))
    raw = dict.fromkeys(line for path in paths for line in complete_lines(samples_path(path)))
    write_new(samples_path(out), b"".join(raw))
    return len(unique)


def _read_existing(path: Path) -> list[dict[str, str]]:
    require_existing(path)
    return read_log(path)


def _in_order(log: AnyLog, targets: Sequence[str]) -> Rows:
    """Return the rows with a possible latency, in the order in which they were measured.

    A log of others does not tell that order. Its rows remain in the order of the file.
    """
    is_sound = np.ones(len(log.rows), dtype=np.bool_)
    for name in targets:
        is_sound &= log.rows.numbers(name) > 0
    places = np.flatnonzero(is_sound).tolist()
    if log.is_ours:
        places.sort(key=log.rows.texts("measured_at").__getitem__)
    return log.rows.take(places)


def _unexplained(rows: Rows, in_ms: Mapping[str, float], features: Sequence[str]) -> list[Problem]:
    """Check the part of the latencies that the features do not explain.

    Args:
        rows: The rows with a possible latency.
        in_ms: The milliseconds in one unit of each target.
        features: The columns from which the latency is predicted.
    """
    parts = [rows.numbers(name) * own for name, own in in_ms.items()]
    latency = np.sum(parts, axis=0)
    problems = row_checks.constant(latency.tolist())
    if problems or not len(rows):
        return problems
    table = encode(rows, features)
    columns = list(table.values())
    if not columns and has_names(rows, tuple(in_ms)):
        return problems
    whole = unexplained(latency, columns)
    factors, swapped = whole.factors, whole.swapped
    for part in parts if len(parts) > 1 else []:
        own = unexplained(part, columns)
        factors = np.where(factors == 0, own.factors, factors)
        swapped += own.swapped
    problems += trend_checks.mixed_units(rows, factors)
    problems += trend_checks.swapped_rows(rows, tuple(in_ms), swapped)
    return problems + trend_checks.drift_in_order(rows, whole, table)
