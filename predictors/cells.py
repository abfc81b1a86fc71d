"""What one cell of a log says: a number, or a list of numbers."""

import re
from collections.abc import Sequence
from math import nan

# Python's own float() also takes underscores, which separate list entries here.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.I)
LIST_SUFFIXES = (".mean", ".sum", ".count")

_BRACKETED = re.compile(r"\[(.*)\]|\((.*)\)", re.S)
_SEPARATOR = re.compile(r"[\s,;_]+")


def parse_list(cell: object) -> list[float] | None:
    """The numbers in a cell such as `[3072, 2048]`, `3072_2048` or `3072`; None if it is none."""
    if isinstance(cell, list | tuple):
        return [float(entry) for entry in cell]
    text = str(cell).strip()
    bracketed = _BRACKETED.fullmatch(text)
    body = (bracketed[1] or bracketed[2] or "").strip() if bracketed else text
    entries = [entry for entry in _SEPARATOR.split(body) if entry]
    if not (bracketed or entries) or not all(NUMBER.fullmatch(entry) for entry in entries):
        return None
    return [float(entry) for entry in entries]


def is_list_column(cells: Sequence[str]) -> bool:
    """Whether every one of these cells reads as a list of numbers."""
    return all(parse_list(cell) is not None for cell in cells)


def list_statistics(cell: object) -> tuple[float, float, float]:
    """Mean, sum and count of the numbers in a cell.

    An empty list has mean 0; a cell that holds no list gives NaN three times.
    """
    entries = parse_list(cell)
    if entries is None:
        return nan, nan, nan
    total = sum(entries)
    return (total / len(entries) if entries else 0.0), total, float(len(entries))
