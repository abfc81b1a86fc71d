"""This module reads the number before a unit in a name: `Latency (10^-3 s)` or `time [100 ns]`."""

import re
from typing import Final

_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_FACTOR: Final = re.compile(
    r"(?<=[\[(])\s*[x\u00d7*]?\s*(?:"
    r"10\s*(?:\^|\*\*)\s*(?P<power>[-+\u2212]?\d+)"
    r"|10(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)"
    r"|[eE](?P<exponent>[-+\u2212]\d+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][-+\u2212]?\d+)?)"
    r")\s*[x\u00d7*\u00b7]?\s*(?=[a-zµμ]+\s*[\])])"
)


def factor_in(name: str) -> float:
    """Return the number before the unit in brackets; 1 for a name without one."""
    if (match := _FACTOR.search(name)) is None:
        return 1.0
    raised = (match["raised"] or "").translate(_SUPERSCRIPTS)
    power = match["power"] or raised or match["exponent"]
    text = f"1e{power}" if power else match["number"]
    try:
        return float(text.replace("\u2212", "-")) or 1.0
    except ValueError:
        return 1.0


def without_factor(name: str) -> str:
    """Return a name without the number before its unit: `Latency (s)`."""
    return _FACTOR.sub("", name)
