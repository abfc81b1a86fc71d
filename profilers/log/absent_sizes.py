"""This module fills the sizes that only some benchmarks of a table have."""

from collections.abc import Collection, Sequence
from typing import Final

from profilers.log.written_numbers import is_number

_ABSENT: Final = {"threads": "1"}  # a benchmark without this word has one thread

Cells = tuple[str, ...]


def with_absent_sizes(
    columns: Sequence[str], rows: Sequence[Cells], sizes: Collection[str]
) -> tuple[list[Cells], tuple[str, ...]]:
    """Return the rows with 0, 1 thread, or `none` among words, in blank sizes, and a remark.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        sizes: The columns of sizes.
    """
    table = list(zip(*rows, strict=True))
    filled: list[str] = []
    for index, cells in enumerate(table):
        if columns[index] in sizes and "" in cells:
            usual = "0" if all(map(is_number, cells)) else "none"
            filler = _ABSENT.get(columns[index], usual)
            table[index] = tuple(cell or filler for cell in cells)
            filled.append(f"{columns[index]!r} is {filler}")
    if not filled:
        return list(rows), ()
    remark = f"where a benchmark does not have a size, {', '.join(filled)}"
    return list(zip(*table, strict=True)), (remark,)
