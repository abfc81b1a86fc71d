"""This module finds the rows below a table that sum it up, as spreadsheets and programs add them.

A row that begins with `Total` or `Average` is no measurement.
"""

from collections.abc import Sequence
from typing import Final

_SUMMARIES: Final = frozenset(
    {"total", "totals", "grand total", "subtotal", "average", "averages", "avg", "overall"}
    | {"summary", "gesamt", "summe", "mittelwert", "durchschnitt", "moyenne", "somme"}
)


def n_summaries(rows: Sequence[tuple[str, ...]]) -> int:
    """Return the number of last rows whose first cell says that they sum up the others.

    It is 0 when such a cell stands among the other rows too, because it is a name then.

    Args:
        rows: The cells of each row.
    """
    are_summaries = [_first(cells).lower().rstrip(": ") in _SUMMARIES for cells in rows]
    n_last = next((n for n, x in enumerate(reversed(are_summaries)) if not x), len(rows))
    return n_last if sum(are_summaries) == n_last < len(rows) else 0


def _first(cells: Sequence[str]) -> str:
    """Return the first cell that is not blank."""
    return next((cell for cell in cells if cell), "")
