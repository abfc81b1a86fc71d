"""This module finds the rows below a table that sum it up, as spreadsheets and programs add them.

A row that begins with `Total` or `Average` is no measurement.
"""

from collections.abc import Sequence
from typing import Final

_SUMMARIES: Final = frozenset(
    {"total", "totals", "grand total", "subtotal", "average", "averages", "avg", "overall"}
    | {"aggregated"}  # of Locust
    | {"summary", "gesamt", "summe", "mittelwert", "durchschnitt", "moyenne", "somme"}
)


def n_summaries(rows: Sequence[tuple[str, ...]]) -> int:
    """Return the number of last rows whose first cell says that they sum up the others.

    It is 0 when such a cell stands among the other rows too, because it is a name then.

    Args:
        rows: The cells of each row.
    """
    n_last = next((n for n, x in enumerate(reversed(rows)) if not _is_summary(x)), len(rows))
    others = rows[: len(rows) - n_last]
    return n_last if n_last and others and not any(map(_is_summary, others)) else 0


def _is_summary(cells: Sequence[str]) -> bool:
    """Return whether the first cell that is not blank says that a row sums up others."""
    return next((cell for cell in cells if cell), "").lower().rstrip(": ") in _SUMMARIES
