"""This module finds the latency, the features and the conditions among the columns of any log."""

import re
from collections.abc import Collection, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from profilers.log.any_log import AnyLog
from profilers.log.column_names import (
    REPEATED,
    is_duration,
    is_known_before_measuring,
    is_time_for_one,
    words,
)
from profilers.log.conditions import NAMES_OF_OTHERS, ONE_PER_FIT, ONE_PER_LOG
from profilers.log.known_tables import known_table
from profilers.log.lists import parse_list
from profilers.log.log_rows import Rows
from profilers.log.records import LARGEST, number
from profilers.log.rows import METER_COLUMNS, REQUIRED_COLUMNS, LogError
from profilers.log.unit_words import UNIT_WORDS

_MAX_LEVELS = 20
_FEATURE_PREFIX = "feature_"
_MEANS = ("total", "mean", "median", "avg", "average")
_OF_TOKENS = frozenset({"ttft", "tpot", "itl", "tbt"})  # no sum of them is a latency
_TO_TOKENS = ({"first", "token"}, {"second", "token"}, {"inter", "token"})  # the same in words
# What the parts are of a duration that contains them: nearly all of it, and they are rounded.
_PARTS = (0.8, 1.05)
_NEARLY_EVERY_ROW = 0.95
_WHOLE_REQUEST = frozenset({"e2e", "e2el"})  # contains the times to its tokens: ttft, tpot, itl
_SPREAD = {"std", "stdev", "stddev", "var", "sem", "stderr", "mad", "iqr", "ci", "low", "high"}
_NO_MEAN = _SPREAD | {
    *("min", "max", "raw", "cpu", "load", "sentinel", "compilation", "compile", "build", "init"),
    *("startup", "baseline", "warmup"),
}
_PERCENTILE = re.compile(r"p\d+|\d+th")
_MEDIAN = ("p50", "50th")


def find_targets(log: AnyLog, named: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the columns whose sum is the latency: the named ones, or those that look like it.

    Without names it is the column `latency_ms`. When a log lacks it, it is the latency of a table
    that another program is known to write. In any other log, names and values tell it.

    Raises:
        LogError: A named column is absent, or no column looks like a latency.
    """
    for name in named:
        if name not in log.columns:
            raise LogError(f"{log.path} has no column {name!r}. It has {', '.join(log.columns)}.")
    if named:
        return tuple(dict.fromkeys(named))
    if "latency_ms" in log.columns:
        return ("latency_ms",)
    table = known_table(log.columns)
    own = table.target_in(log.columns, log.may_be_latency) if table is not None else None
    if own is not None:
        return (own,)
    candidates = _distinct(log, _typical(log))
    if not candidates:
        raise LogError(
            f"{log.path} has no column that looks like a latency. Got {', '.join(log.columns)}. "
            f"Name it with --target." + "".join(f" {remark}." for remark in log.remarks)
        )
    _require_no_repetitions(log, candidates)
    return tuple(candidates)


def _typical(log: AnyLog) -> list[str]:
    """Return the durations, without those for a spread, a minimum or a percentile.

    When there are none, the medians count, or else minima and times of the processor. Columns that
    are constant or 0 do not count beside others.
    """
    own_words = {name: set(words(name)) for name in log.columns}
    centres = [name for name, own in own_words.items() if not any(map(_PERCENTILE.fullmatch, own))]
    typical = [name for name in centres if _NO_MEAN.isdisjoint(own_words[name])]
    medians = [name for name, own in own_words.items() if not own.isdisjoint(_MEDIAN)]
    others = [name for name in centres if _SPREAD.isdisjoint(own_words[name])]
    durations = _durations(log, typical) or _durations(log, medians) or _durations(log, others)
    return [name for name in durations if log.may_be_latency(name)] or durations


def _distinct(log: AnyLog, durations: list[str]) -> list[str]:
    """Return the durations that do not contain, repeat or average each other.

    The time of a whole request counts alone, and so does that of all items beside that of one. Of
    times to tokens alone, those to the first one count. Totals count alone, or else means. A time
    counts in one unit, and without the parts that add up to it.
    """
    candidates = [name for name in durations if "latency" in words(name)] or durations
    if not _WHOLE_REQUEST.isdisjoint(word for name in candidates for word in words(name)):
        candidates = [name for name in candidates if not _WHOLE_REQUEST.isdisjoint(words(name))]
    candidates = [name for name in candidates if not is_time_for_one(name)] or candidates
    whole = [name for name in candidates if not _is_of_tokens(name)]
    of_first = [name for name in candidates if "ttft" in words(name)]
    candidates = whole or of_first or candidates[:1]
    for kind in _MEANS:
        candidates = [name for name in candidates if kind in words(name)] or candidates
    by_quantity: dict[tuple[str, ...], str] = {}
    for name in candidates:
        quantity = tuple(word for word in words(name) if word not in UNIT_WORDS)
        by_quantity.setdefault(quantity, name)
    return _whole(log, list(by_quantity.values()))


def _is_of_tokens(name: str) -> bool:
    """Return whether a name says that a time is one to a token or between two."""
    own = set(words(name))
    return not own.isdisjoint(_OF_TOKENS) or any(part <= own for part in _TO_TOKENS)


def _require_no_repetitions(log: AnyLog, targets: Sequence[str]) -> None:
    """Check that no columns are repetitions of one measurement: `run1_ms` and `run2_ms`.

    Their names have a number and words of times and repetitions alone. Parts of a latency say what
    they are parts of: `layer1_ms`.

    Raises:
        LogError: Some are.
    """
    by_words: dict[tuple[str, ...], list[str]] = {}
    for name in targets:
        own = words(re.sub(r"(?<=[a-z])(?=\d)", "_", name))
        kept = tuple(word for word in own if not word.isdigit())
        if len(kept) < len(own) and all(x in REPEATED or is_duration(x) for x in kept):
            by_words.setdefault(kept, []).append(name)
    repeated = next((names for names in by_words.values() if len(names) > 1), None)
    if repeated is not None:
        raise LogError(
            f"{log.path} has {len(repeated)} columns that look like repetitions of one "
            f"measurement: {', '.join(repeated[:3])}{', ...' * (len(repeated) > 3)}. Their sum is "
            "no latency. Write their median into a column, or name one of them with --target."
        )


def _durations(log: AnyLog, names: list[str]) -> list[str]:
    """Return the columns that are durations by their names, or else by the units in their cells."""
    named_so = [name for name in names if is_duration(name)]
    named_so = named_so or [name for name in names if name in log.in_ms]
    return named_so or [name for name in names if "runtime" in words(name)][:1]


def _whole(log: AnyLog, candidates: list[str]) -> list[str]:
    """Return the one of three or more durations that the others add up to; else all of them."""
    if len(candidates) < 3 or not log.rows:
        return candidates
    values = np.column_stack([log.rows.numbers(name) for name in candidates])
    others = values.sum(axis=1, keepdims=True) - values
    least, most = _PARTS
    is_sum = (least * values <= others) & (others <= most * values)
    is_whole = np.mean(is_sum, axis=0) >= _NEARLY_EVERY_ROW
    return [name for name, is_one in zip(candidates, is_whole, strict=True) if is_one] or candidates


def find_conditions(log: AnyLog) -> tuple[str, ...]:
    """Return the columns that must be the same in every row.

    In a log of `automoe profile` these are its conditions. In other logs they are the columns
    with a name that is known for a condition. A setting in a table of a known program, such as
    `n_threads` of llama-bench, varies on purpose and is none.
    """
    table = known_table(log.columns)
    of_others = {
        name
        for name in NAMES_OF_OTHERS
        if table is None or not table.may_be_feature(name, log.columns)
    }
    names = {*ONE_PER_LOG, *(() if log.is_ours else {*ONE_PER_FIT, *of_others})}
    return tuple(name for name in log.columns if name.lower() in names)


def find_features(
    log: AnyLog, targets: Sequence[str], varied: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the columns that were known before the measurement and differ between the rows.

    These are the columns named `feature_*`, when there are some. Otherwise they are the columns of
    numbers, or of at most 20 different words, that `profilers.log.column_names` allows or that
    are in `varied`. Columns that `automoe profile` writes itself are left out.
    """
    marked = [name for name in log.columns if name.startswith(_FEATURE_PREFIX)]
    own = {*REQUIRED_COLUMNS, *METER_COLUMNS} if log.is_ours else set()
    table = known_table(log.columns)
    candidates = marked or [
        name
        for name in log.columns
        if name not in own
        and name not in targets
        and (name in varied or is_known_before_measuring(name, targets))
        and (table is None or name in varied or table.may_be_feature(name, log.columns))
    ]
    return tuple(name for name in candidates if _encoded(log.rows, name) is not None)


def encode(rows: Rows, features: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the numbers by column.

    A column of words becomes an array of shape (rows, words) with 0 and 1. A column of lists
    becomes two columns, the sum and the number of entries. All others have shape (rows,).
    """
    columns: dict[str, NDArray[np.float64]] = {}
    for name in features:
        columns |= _encoded(rows, name) or {}
    return columns


def has_names(rows: Rows, targets: Sequence[str]) -> bool:
    """Return whether a column of words names most rows, as a table of whole models does."""
    texts = [set(rows.texts(name)) for name in rows[0].cells if name not in targets]
    return any(len(x) > len(rows) / 2 and not any(map(isfinite, map(number, x))) for x in texts)


def _encoded(rows: Rows, name: str) -> dict[str, NDArray[np.float64]] | None:
    """Return the numbers of one column by name, see `encode`.

    Return None when the column cannot be a feature: it is constant, or a text with too many
    different values.
    """
    if rows.has_one_text(name):
        return None
    values = rows.numbers(name)
    known = np.isfinite(values)
    if known.mean() > 0.5:
        return {name: np.where(known, values, np.median(values[known]))}
    texts = rows.texts(name)
    levels = sorted(set(texts))
    lists = {level: _entries(level) for level in levels}
    if all(lists.values()):
        sums = np.array([sum(lists[text]) for text in texts])
        return {name: sums, f"number of {name}": np.array([float(len(lists[x])) for x in texts])}
    if len(levels) > min(_MAX_LEVELS, len(rows) // 2):
        return None
    places = {level: place for place, level in enumerate(levels)}
    return {name: np.eye(len(levels))[[places[text] for text in texts]]}


def _entries(text: str) -> list[float]:
    """Return the numbers of a list, see `parse_list`; empty for other texts."""
    entries = parse_list(text)
    return entries if all(abs(x) <= LARGEST for x in entries) else []  # false for NaN
