"""Which columns of any log are its latency, its features and its conditions."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from profilers.log.any_log import AnyLog, Row
from profilers.log.column_names import is_duration, is_known_before_measuring, words
from profilers.log.conditions import NAMES_OF_OTHERS, ONE_PER_FIT, ONE_PER_LOG
from profilers.log.rows import METER_COLUMNS, REQUIRED_COLUMNS, LogError

_MAX_LEVELS = 20
_FEATURE_PREFIX = "feature_"
_MEANS = ("total", "mean", "median", "avg", "average")
_NO_MEAN = {
    *("std", "stdev", "stddev", "var", "sem", "stderr", "mad", "iqr", "ci", "low", "high"),
    *("min", "max", "p50", "p90", "p95", "p99", "raw", "cpu", "load", "sentinel"),
}


def find_targets(log: AnyLog, named: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns whose sum is the latency: the named ones, or those that look like it.

    That is `latency_ms` where there is one. Otherwise it is every column whose name speaks of a
    latency and of no spread, minimum or percentile; of those the totals, else the means.

    Raises:
        LogError: A named column is absent, or none looks like a latency.
    """
    for name in named:
        if name not in log.columns:
            raise LogError(f"{log.path} has no column {name!r}. It has {', '.join(log.columns)}.")
    if named:
        return tuple(dict.fromkeys(named))
    if "latency_ms" in log.columns:
        return ("latency_ms",)
    typical = [name for name in log.columns if _NO_MEAN.isdisjoint(words(name))]
    candidates = [name for name in typical if "latency" in words(name)]
    candidates = candidates or [name for name in typical if is_duration(name)]
    for kind in _MEANS:
        candidates = [name for name in candidates if kind in words(name)] or candidates
    if not candidates:
        raise LogError(
            f"{log.path} has no column that looks like a latency. Got {', '.join(log.columns)}. "
            f"Name it with --target."
        )
    return tuple(candidates)


def find_conditions(log: AnyLog) -> tuple[str, ...]:
    """The columns that must be the same in every row: ours, or those with a known name."""
    names = {*ONE_PER_LOG, *(() if log.is_ours else {*ONE_PER_FIT, *NAMES_OF_OTHERS})}
    return tuple(name for name in log.columns if name.lower() in names)


def find_features(
    log: AnyLog, targets: Sequence[str], varied: Collection[str] = ()
) -> tuple[str, ...]:
    """The columns that were known before the measurement and differ between the rows.

    Columns named `feature_*` are, where there are some. Otherwise it is every column of numbers
    or of at most 20 different words that `profilers.log.column_names` allows, or that varies on
    purpose, but for what `automoe profile` writes itself.
    """
    marked = [name for name in log.columns if name.startswith(_FEATURE_PREFIX)]
    own = {*REQUIRED_COLUMNS, *METER_COLUMNS} if log.is_ours else set()
    candidates = marked or [
        name
        for name in log.columns
        if name not in own
        and name not in targets
        and (name in varied or is_known_before_measuring(name, targets))
    ]
    return tuple(name for name in candidates if _encoded(log.rows, name) is not None)


def encode(rows: Sequence[Row], features: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Numbers by column; a column of words becomes one column of 0 and 1 for each word."""
    columns: dict[str, NDArray[np.float64]] = {}
    for name in features:
        columns |= _encoded(rows, name) or {}
    return columns


def _encoded(rows: Sequence[Row], name: str) -> dict[str, NDArray[np.float64]] | None:
    """None when the column says nothing: it is constant, or text that is different every time."""
    texts = [row.cells[name] for row in rows]
    levels = sorted(set(texts))
    if len(levels) < 2:
        return None
    values = np.array([row.number(name) for row in rows])
    known = np.isfinite(values)
    if known.mean() > 0.5:
        return {name: np.where(known, values, np.median(values[known]))}
    if len(levels) > min(_MAX_LEVELS, len(rows) // 2):
        return None
    return {f"{name}={level}": np.array([float(x == level) for x in texts]) for level in levels}
