"""This module tells in which unit a column of latencies is, and converts it to milliseconds."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from profilers.log.column_names import is_rate, is_time_per, words
from profilers.log.known_tables import known_table
from profilers.log.rows import LogError
from profilers.log.unit_words import UNIT_WORDS, factor_in, without_factor

# The milliseconds in one of each unit.
MILLISECONDS: Final = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}
_LONG: Final = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "min": "minutes",
}
GIVEN: Final = ("us", "ms", "s")
_BESIDE_NUMBERS: Final = {"min": MILLISECONDS["min"], **dict.fromkeys(("h", "hr", "hours"), 3.6e6)}


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a column of latencies.

    Attributes:
        name: The unit: `ns`, `us`, `ms`, `s` or `min`.
        source: What says so: `its name`, `its cells`, `--unit`, the program that wrote the table,
            or `` when nothing does. It is then taken as milliseconds.
        factor: How many of the unit a 1 stands for, such as 100 in `time [100 ns]`.
    """

    name: str
    source: str
    factor: float = 1.0

    @property
    def in_ms(self) -> float:
        """The milliseconds that a 1 stands for."""
        product = MILLISECONDS[self.name] * self.factor
        return float(f"{product:.12g}")

    @property
    def long_name(self) -> str:
        """The name of the unit in a sentence, such as `seconds` or `100 nanoseconds`."""
        return _LONG[self.name] if self.factor == 1 else f"{self.factor:g} {_LONG[self.name]}"

    @property
    def short_name(self) -> str:
        """The unit in a table, such as `us` or `100 ns`."""
        return self.name if self.factor == 1 else f"{self.factor:g} {self.name}"

    def conversion(self, column: str) -> str:
        """Return a sentence that says how a column became milliseconds; empty when it was."""
        if self.name == "ms" and self.factor == 1:
            return ""
        by = "as its name says" if self.source == "its name" else f"by {self.source}"
        return f"{column!r} is in {self.long_name}, {by}; times {self.in_ms:g} it is in ms"


def unit_of(
    column: str,
    columns: Collection[str],
    given: str | None = None,
    *,
    in_ms: Collection[str] = (),
) -> Unit:
    """Return the unit of a column of latencies.

    Its name tells it, or `given` does, or the program that wrote a table with these columns.

    Args:
        column: The column.
        columns: All columns of the table.
        given: The unit that the user named, one of `GIVEN`; None when none was named.
        in_ms: The columns whose cells told their unit, see `AnyLog.in_ms`.

    Raises:
        LogError: The user's unit is unknown, or is not the one that the name tells.
    """
    if given is not None and given not in GIVEN:
        raise LogError(f"'--unit' must be one of {', '.join(GIVEN)}. Got {given!r}.")
    if column in in_ms:
        if given not in (None, "ms"):
            raise LogError(
                f"'--unit' must be left out for {column!r}, whose cells tell their unit. "
                f"Got {given!r}."
            )
        return Unit("ms", "its cells")
    named = unit_in(column)
    if named is not None:
        if given not in (None, named):
            raise LogError(
                f"'--unit' must be {named!r} for {column!r}, as its name says. Got {given!r}. "
                "Leave the option out."
            )
        return Unit(named, "its name", factor_in(column))
    if given is not None:
        return Unit(given, "--unit")
    table = known_table(columns)
    if table is not None and table.holds_time(column):
        return Unit(table.unit, f"the format of {table.program}")
    return Unit("ms", "")


def milliseconds_in(word: str) -> float | None:
    """Return the milliseconds in the unit of time that a word in lower case names; None for others.

    The word stands beside a number. In a name, `min` would be a minimum and `h` a size.
    """
    unit = UNIT_WORDS.get(word.replace("\u03bc", "\u00b5"))  # two characters for the same prefix
    return _BESIDE_NUMBERS.get(word) if unit is None else MILLISECONDS[unit]


def unit_in(name: str) -> str | None:
    """Return the unit that a column's name tells, such as `us` for `time_us`; None for none."""
    if is_rate(name):
        return None
    own = [word.rstrip("0123456789") or word for word in words(without_factor(name))]
    units = [UNIT_WORDS[word] for word in own[1:] if word in UNIT_WORDS]
    # An `s` at the beginning may be the length of a sequence.
    if own and own[0] in UNIT_WORDS and (own[0] != "s" or is_time_per(name)):
        units.append(UNIT_WORDS[own[0]])
    return units[-1] if units else None
