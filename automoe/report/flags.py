"""This module says in words what the flags of measurements mean for a reader."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from profilers import FLAG_MEANINGS


@dataclass(frozen=True, slots=True)
class FlagCount:
    """A flag with the number of rows that have it.

    Attributes:
        name: The flag, as it stands in the log.
        meaning: The meaning in words.
        rows: The number of rows.
    """

    name: str
    meaning: str
    rows: int


def counted(log: pd.DataFrame) -> list[FlagCount]:
    """Return the flags of a log, by name."""
    counts = Counter(flag for flags in _cells(log) for flag in flags)
    return [FlagCount(name, meaning(name), rows) for name, rows in sorted(counts.items())]


def n_flagged(log: pd.DataFrame) -> int:
    """Return the number of rows with at least one flag."""
    return sum(bool(flags) for flags in _cells(log))


def meaning(flag: str) -> str:
    """Return the meaning of a flag."""
    return FLAG_MEANINGS.get(flag, "see the glossary")


def explained(flags: Iterable[str]) -> str:
    """Return flags with their meanings, in one line, without the advice to those who profile."""
    return "; ".join(f"{flag}: {meaning(flag).partition(';')[0]}" for flag in flags)


def _cells(log: pd.DataFrame) -> Sequence[list[str]]:
    if "flags" not in log:
        return []
    cells = log["flags"].fillna("").astype(str)
    return [[flag for flag in cell.split(";") if flag] for cell in cells]
