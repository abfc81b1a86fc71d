"""This module says what any table of latencies holds, whoever wrote it."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import median

from devices.rounding import counted
from devices.shown import Shown
from profilers.audit.columns import find_features, find_targets
from profilers.audit.log_audit import SUMMARISED, LogSummary, summary_of
from profilers.log.any_log import AnyLog, read_any_log
from profilers.log.headers import require_two_columns
from profilers.log.known_tables import known_table
from profilers.log.records import number
from profilers.log.rows import LogError

_SHOWN_LEVELS = 5


@dataclass(frozen=True, slots=True, repr=False)
class TableSummary(Shown):
    """A summary of a table that `automoe profile` did not write.

    Attributes:
        rows: The number of rows.
        malformed_lines: The number of lines that are no rows.
        program: The program that wrote it; None when it is not known.
        latency: The columns that look like a latency; empty when none does.
        units: The unit of each of these columns. Where nothing tells it, it is `ms?`.
        latency_min_ms: The smallest latency, of rows where it is above 0; None without any.
        latency_median_ms: The median of these latencies.
        latency_max_ms: The largest latency.
        features: What each column holds that could be a feature, by its name.
        others: The other columns.
        remarks: Sentences about how the file was read.
    """

    rows: int
    malformed_lines: int
    program: str | None
    latency: tuple[str, ...]
    units: tuple[str, ...]
    latency_min_ms: float | None
    latency_median_ms: float | None
    latency_max_ms: float | None
    features: dict[str, str]
    others: tuple[str, ...]
    remarks: tuple[str, ...]


def summarise_any(path: Path | str) -> LogSummary | TableSummary:
    """Return a summary of a log of `automoe profile`, or of any other table.

    Raises:
        LogError: The file cannot be read, or has one column, as a text that is no table.
    """
    log = read_any_log(path, held=SUMMARISED)
    require_two_columns(log.columns, log.path)
    return summary_of(log) if log.is_ours else _table(log)


def _table(log: AnyLog) -> TableSummary:
    try:
        targets = find_targets(log)
    except LogError:  # no column looks like a latency
        targets = ()
    units = [log.unit_of(name) for name in targets]
    parts = [
        (unit.in_ms * log.rows.numbers(name)).tolist()
        for name, unit in zip(targets, units, strict=True)
    ]
    sums = map(sum, zip(*parts, strict=True))
    latencies = [float(f"{latency:.9g}") for latency in sums if latency > 0]
    features = find_features(log, targets)
    table = known_table(log.columns)
    return TableSummary(
        rows=len(log.rows),
        malformed_lines=sum(x.last_line - x.line + 1 for x in log.malformed),
        program=table.program if table else None,
        latency=targets,
        units=tuple(unit.short_name if unit.source else f"{unit.short_name}?" for unit in units),
        latency_min_ms=min(latencies, default=None),
        latency_median_ms=median(latencies) if latencies else None,
        latency_max_ms=max(latencies, default=None),
        features={name: _content(log, name) for name in features},
        others=tuple(x for x in log.columns if x not in (*targets, *features)),
        remarks=log.remarks,
    )


def _plain(value: float) -> str:
    """Return a number with six digits and, unless it is huge, without an exponent."""
    return f"{float(f'{value:.6g}'):.15g}"


def _content(log: AnyLog, name: str) -> str:
    """Return what a column holds: the range of its numbers, or its first words."""
    levels = list(dict.fromkeys(log.rows.texts(name)))
    numbers = [value for level in levels if not isnan(value := number(level))]
    if 2 * len(numbers) > len(levels):
        low, high = _plain(min(numbers)), _plain(max(numbers))
        return f"{low} to {high}, {counted(len(levels), 'value')}"
    shown = ", ".join(levels[:_SHOWN_LEVELS])
    return shown + (
        f" and {len(levels) - _SHOWN_LEVELS} more" if len(levels) > _SHOWN_LEVELS else ""
    )
