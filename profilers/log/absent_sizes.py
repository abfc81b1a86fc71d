"""This module fills the sizes that only some benchmarks of a table have."""

from collections.abc import Collection, Sequence
from typing import Final

from profilers.log.written_numbers import is_number

_ABSENT: Final = {"threads": "1"}  # a benchmark without this word has one thread

Cells = tuple[str, ...]


def with_absent_sizes(
    columns: Sequence[str], rows: Sequence[Cells], sizes: Collection[str]
) -> tuple[list[Cells], tuple[str, ...]]:
    """Return the rows with 0, or `none` among words, in the blank cells of sizes, and a remark.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
        sizes: The columns of sizes.
    """
    table = list(zip(*rows, strict=True))
    blank = [i for i, cells in enumerate(table) if columns[i] in sizes and "" in cells]
    for index in blank:
        are_numbers = all(map(is_number, table[index]))
        filler = _ABSENT.get(columns[index], "0" if are_numbers else "none")
        table[index] = tuple(cell or filler for cell in table[index])
    if not blank:
        return list(rows), ()
    listed = ", ".join(repr(columns[index]) for index in blank)
    remark = f"a size that a benchmark does not have is 0, or 'none' among words: {listed}"
    return list(zip(*table, strict=True)), (remark,)
