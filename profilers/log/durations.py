"""This module reads durations that are written in parts: `0:00:00.348`, `1m2.5s` or `PT0.348S`.

Python, pandas, Go, shells and ISO 8601 write them. A number with one unit, such as `348 ms`, is
read in `profilers.log.units_in_cells`.
"""

import re
from typing import Final

_SECONDS: Final = {
    **{"d": 86400.0, "h": 3600.0, "hr": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0, "sec": 1.0},
    **{"ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9},
}
_CLOCK: Final = re.compile(
    r"(?:(\d+) days?,? \+?)?(?:(\d+):)?([0-5]?\d):([0-5]\d(?:[.,]\d+)?)", re.ASCII
)
_PART: Final = rf"(\d+(?:[.,]\d+)?)\s*({'|'.join(sorted(_SECONDS, key=len, reverse=True))})"
_PARTS: Final = re.compile(rf"(?:{_PART}\s*){{2,}}|p(?:\d+d)?t(?:{_PART}){{1,3}}", re.ASCII)
_EACH: Final = re.compile(_PART, re.ASCII)


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
    if not _PARTS.fullmatch(lower):
        return None
    return 1e3 * sum(_number(number) * _SECONDS[unit] for number, unit in _EACH.findall(lower))


def _number(text: str) -> float:
    return float(text.replace(",", "."))
