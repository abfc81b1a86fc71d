"""This module reads durations that are written in parts: `0:00:00.348`, `1m2.5s` or `PT0.348S`.

Python, pandas, Go, shells, Slurm (`1-02:03:04`) and ISO 8601 write them. A number with one unit,
such as `348 ms`, is read in `profilers.log.units_in_cells`.
"""

import re
from typing import Final

from profilers.log.units import MILLISECONDS, milliseconds_in

# From the longest to the shortest, in which order a duration has them.
_UNITS: Final = ("d", "hr|h", "min|m", "sec|s", "ms", "\u00b5s|\u03bcs|us", "ns")
# Beside a single number, these two may stand for something else.
_OF_PARTS: Final = {"d": 8.64e7, "m": MILLISECONDS["min"]}
_CLOCK: Final = re.compile(
    r"(?:(\d+)(?:-| days?,? \+?))?(?:(\d+):)?([0-5]?\d):([0-5]\d(?:[.,]\d+)?)", re.ASCII
)
_HOW_MANY: Final = r"(\d+(?:[.,]\d+)?)"
_PARTS: Final = re.compile("".join(rf"(?:{_HOW_MANY}\s*({x})\s*)?" for x in _UNITS), re.ASCII)
_ISO: Final = re.compile(r"p((?:\d+d)?)t(.+)")


def milliseconds_of(cell: str, *, is_time: bool) -> float | None:
    """Return the milliseconds of a duration in parts; None for any other cell.

    Args:
        cell: The text of a cell.
        is_time: Whether its column is one of durations. Elsewhere `1:02` may be a ratio, and
            `12:30:15` a time of the day.
    """
    if clock := _CLOCK.fullmatch(cell):
        days, hours, minutes, seconds = clock.groups()
        is_whole = hours is not None and (days or not seconds.isdigit())
        if not is_whole and (days or not is_time):
            return None
        whole = 24 * int(days or 0) + int(hours or 0)
        return 1e3 * (3600 * whole + 60 * int(minutes) + _number(seconds))
    lower = cell.lower()
    iso = _ISO.fullmatch(lower)
    match = _PARTS.fullmatch(iso[1] + iso[2] if iso else lower)
    groups = match.groups() if match else ()
    parts = [part for part in zip(groups[::2], groups[1::2], strict=True) if part[0]]
    if len(parts) < (1 if iso else 2):
        return None
    return sum(_number(number) * _in_ms(unit) for number, unit in parts)


def _in_ms(unit: str) -> float:
    return _OF_PARTS.get(unit) or milliseconds_in(unit) or 0.0


def _number(text: str) -> float:
    return float(text.replace(",", "."))
