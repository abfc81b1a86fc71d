"""This module finds the rows below a table that sum it up, as spreadsheets and programs add them.

A row that begins with `Total` or `Average` is no measurement.
"""

from collections.abc import Sequence
from math import fsum, isclose, isnan
from typing import Final

from profilers.log.records import number

_SUMMARIES: Final = frozenset(
    {"total", "totals", "grand total", "subtotal", "average", "averages", "avg", "overall"}
    | {"aggregated"}  # of Locust
    | {"std", "stdev", "stddev", "std dev", "median"}  # Mean, Max, Min and Sum are operators
    | {"summary", "gesamt", "summe", "mittelwert", "durchschnitt", "moyenne", "somme"}
)
_LEAST_SUMMED: Final = 5  # rows; fewer may have such a sum by chance
_ROUNDED: Final = 1e-4


def n_summaries(rows: Sequence[tuple[str, ...]]) -> int:
    """Return the number of last rows whose first cell says that they sum up the others.

    It is 0 when such a cell stands among the other rows too, because it is a name then.

    Args:
        rows: The cells of each row.
    """
    n_last = next((n for n, x in enumerate(reversed(rows)) if not _is_summary(x)), len(rows))
    others = rows[: len(rows) - n_last]
    return n_last if n_last and others and not any(map(_is_summary, others)) else 0


def is_sum(rows: Sequence[tuple[str, ...]]) -> bool:
    """Return whether the last row has no words and the sums of the others in two or more columns.

    Args:
        rows: The cells of each row.
    """
    *others, last = rows or [()]
    if len(others) < _LEAST_SUMMED or sum(not isnan(number(cell)) for cell in last) < 2:
        return False
    filled = [(i, number(cell)) for i, cell in enumerate(last) if cell]
    sums = {i: fsum(number(cells[i]) for cells in others) for i, _ in filled}
    return all(x > 0 and isclose(x, sums[i], rel_tol=_ROUNDED) for i, x in filled)


def _is_summary(cells: Sequence[str]) -> bool:
    """Return whether the first cell that is not blank says that a row sums up others."""
    return next((cell for cell in cells if cell), "").lower().rstrip(": ") in _SUMMARIES
