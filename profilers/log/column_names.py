"""This module tells by the name of a column whether it is a result, bookkeeping or a condition.

A feature is known before a measurement. A result is not: as a feature it would give the answer
away. So columns are told apart by the words of their names. A name is split at characters other
than letters and digits, and before a capital letter.
"""

import re
from collections.abc import Iterable

from profilers.log.conditions import NEVER_FEATURES

_TIME = frozenset({"time", "times", "milliseconds", "microseconds", "seconds"})
_SECONDS = frozenset({"s", "sec", "secs"})

_DURATION = frozenset({"latency", "duration", "elapsed", "ms", "us", "µs", "ns"})
_SPREAD = frozenset(
    {"std", "stdev", "stddev", "var", "variance", "stderr", "sem", "iqr", "mad", "ci"}
)
_RESULT = (
    _DURATION
    | _SPREAD
    | {"p50", "p90", "p95", "p99", "energy", "mj", "power", "watts", "temperature"}
    | {"throughput", "drift", "sentinel", "samples", "blocks", "processes", "wall", "mhz"}
    | {"quality", "stop", "reason", "bandwidth", "fps", "qps", "mape", "loss", "bleu"}
)
_BOOKKEEPING = frozenset(
    {"id", "uid", "uuid", "hash", "index", "timestamp", "datetime", "date", "seed", "commit"}
    | {"version", "flag", "flags", "status", "path", "file", "host", "hostname", "note", "notes"}
    | {"comment", "schema", "at"}
)


def words(name: str) -> tuple[str, ...]:
    """Return the words of a column name in lower case: `latency_std_Encoder` has three."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return tuple(word for word in re.split(r"[^a-z0-9µ]+", apart) if word)


def is_duration(name: str) -> bool:
    """Return whether a column is a measured time, judged by its name."""
    own = words(name)
    quantity = own[:-1] if _SECONDS.issuperset(own[-1:]) else own
    return not _DURATION.isdisjoint(own) or (bool(quantity) and quantity[-1] in _TIME)


def is_known_before_measuring(name: str, targets: Iterable[str]) -> bool:
    """Return whether a column may be a feature, judged by its name.

    It may not be a feature in three cases. It is a condition of the whole log (see
    `profilers.log.conditions`). Or one of its words names a measured quantity (latency, std, ci,
    energy, ms) or bookkeeping (id, seed, flags, timestamp). Or it shares its first word with a
    target. The last rule does not apply to a target that names a duration, such as
    `encoder_latency`, because the second rule covers its related columns.
    """
    own = words(name)
    if not own or name in NEVER_FEATURES or is_duration(name):
        return False
    if not (_RESULT | _BOOKKEEPING).isdisjoint(own):
        return False
    prefixes = {words(target)[:1] for target in targets if not is_duration(target)}
    return own[:1] not in prefixes
