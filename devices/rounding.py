"""This module writes numbers for people, and limits so that they hold as they are printed.

A lower limit is rounded down and an upper limit is rounded up: an interval then contains what it
contained before, and a budget that is named is feasible. All four packages print limits, and each
package imports only what stands below it. So this module is in the lowest package.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import isfinite

_DIGITS = 4
_EXACT = 1000  # digits, more than any number of double precision has


def rounded(value: float, digits: int = _DIGITS) -> str:
    """Return the nearest number of few digits as a text, without an exponent below a million.

    Args:
        value: The number, which is no limit.
        digits: The number of significant digits, at most 6.
    """
    return f"{float(f'{value:.{digits}g}'):g}"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 row`, `2 rows`; or `1 row is`, `2 rows are`.

    Args:
        number: The number.
        one: What follows the number 1.
        many: What follows any other number; by default the same with an s.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def rounded_down(value: float, digits: int = _DIGITS, *, places: int | None = None) -> str:
    """Return a lower limit as a text that is not above it.

    Args:
        value: The limit.
        digits: The number of significant digits, at most 6.
        places: The number of digits behind the decimal point, in place of `digits`.
    """
    return _rounded(_exact(value), ROUND_FLOOR, digits, places)


def rounded_up(value: float, digits: int = _DIGITS, *, places: int | None = None) -> str:
    """Return an upper limit as a text that is not below it, see `rounded_down`."""
    return _rounded(_exact(value), ROUND_CEILING, digits, places)


def percent_down(share: float, places: int = 1) -> str:
    """Return a share that is a lower limit in percent, with the sign: `91.8 %`."""
    return f"{_rounded(_exact(share).scaleb(2), ROUND_FLOOR, _DIGITS, places)} %"


def percent_up(share: float, places: int = 1) -> str:
    """Return a share that is an upper limit in percent, see `percent_down`."""
    return f"{_rounded(_exact(share).scaleb(2), ROUND_CEILING, _DIGITS, places)} %"


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))  # the shortest text of this number, not its binary digits


def _rounded(exact: Decimal, rounding: str, digits: int, places: int | None) -> str:
    if not isfinite(exact):
        return f"{float(exact):g}"
    if places is None:
        return f"{float(Context(prec=digits, rounding=rounding).create_decimal(exact)):g}"
    step = Decimal(1).scaleb(-places)
    rounded = exact.quantize(step, rounding=rounding, context=Context(prec=_EXACT))
    return f"{rounded if rounded else abs(rounded):f}"  # no -0.00
