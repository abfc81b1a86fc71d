"""This module holds the words for units of time, and reads the number before one in a name.

Such a name is `Latency (10^-3 s)` or `time [100 ns]`. In `latency_ms (95th)` no unit follows.
"""

import re
from typing import Final

_SHORT: Final = ("s", "sec", "secs")
_ENDS: Final = (*_SHORT, "second", "seconds")
# The unit that a word for a unit of time names.
UNIT_WORDS: Final = {
    **{f"n{end}": "ns" for end in _SHORT} | {f"nano{end}": "ns" for end in _ENDS},
    **{f"u{end}": "us" for end in _SHORT} | {f"µ{end}": "us" for end in _SHORT},
    **{f"micro{end}": "us" for end in _ENDS},
    **{f"m{end}": "ms" for end in _SHORT} | {f"milli{end}": "ms" for end in _ENDS},
    **dict.fromkeys(_ENDS, "s"),
    **dict.fromkeys(("minutes", "mins"), "min"),
}

_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_FACTOR: Final = re.compile(
    r"(?<=[\[(])\s*[x\u00d7*]?\s*(?:"
    r"10\s*(?:\^|\*\*)\s*(?P<power>[-+\u2212]?\d+)"
    r"|10(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|[eE](?P<exponent>[-+\u2212]\d+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][-+\u2212]?\d+)?)"
    r")\s*[x\u00d7*\u00b7]?\s*"
    rf"(?=(?:{'|'.join(UNIT_WORDS)})\s*(?:[\])/]|per\b))",
    re.IGNORECASE,
)


def factor_in(name: str) -> float:
    """Return the number before the unit in brackets; 1 for a name without one."""
    if (match := _FACTOR.search(name)) is None:
        return 1.0
    raised = (match["raised"] or "").translate(_SUPERSCRIPTS)
    power = match["power"] or raised or match["exponent"]
    text = f"1e{power}" if power else match["number"]
    return float(text.replace("\u2212", "-")) or 1.0


def without_factor(name: str) -> str:
    """Return a name without the number before its unit: `Latency (s)`."""
    return _FACTOR.sub("", name)
