"""This module tells what the cells of a column are: numbers, lists of numbers or words."""

from collections import Counter
from collections.abc import Sequence
from math import nan
from typing import Literal

from profilers.log.lists import is_one_number, parse_list

LIST_SUFFIXES = (".mean", ".sum", ".count")

_MOST = 0.9
_LEAST_LISTS = 0.5  # lists of lists, and lists of words, stay text


def kind_of(cells: Sequence[str]) -> Literal["numeric", "list", "categorical"]:
    """Return the kind of a column: the kind of nine in ten of its cells that are not blank.

    The other cells are then mistakes. A message will name them, and they become no categories.
    """
    filled = Counter(cell for cell in cells if cell)  # equal cells are parsed once
    n_filled = filled.total()
    if not filled:
        return "categorical"
    if sum(n for cell, n in filled.items() if is_one_number(cell)) >= _MOST * n_filled:
        return "numeric"
    lists = {cell for cell in filled if parse_list(cell)}
    n_lists = sum(filled[cell] for cell in lists)
    n_alike = sum(n for cell, n in filled.items() if cell[0] == "[" or cell in lists)
    is_list = n_lists >= _LEAST_LISTS * n_filled and n_alike >= _MOST * n_filled
    return "list" if is_list else "categorical"


def list_statistics(cell: object) -> tuple[float, float, float]:
    """Return the mean, the sum and the count of the numbers in a cell.

    All three are NaN when the cell holds no numbers.
    """
    entries = parse_list(cell)
    if not entries:
        return nan, nan, nan
    return sum(entries) / len(entries), sum(entries), float(len(entries))
