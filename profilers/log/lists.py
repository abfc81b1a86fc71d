"""This module reads a cell that holds a list of numbers, such as `[3072, 2048]` or `3072_2048`."""

import re

# Python's own float() also takes underscores, which separate list entries here.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.I)
_BRACKETED = re.compile(r"\[(.*)\]|\((.*)\)", re.S)
_SEPARATOR = re.compile(r"[\s,;_]+")


def is_one_number(cell: str) -> bool:
    """Return whether a cell is a number, with a decimal point."""
    return _NUMBER.fullmatch(cell) is not None


def parse_list(cell: object) -> list[float]:
    """Return the numbers in a cell such as `[3072, 2048]`, `3072_2048` or `3072`.

    The list is empty when the cell is not a list of numbers.
    """
    text = " ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell).strip()
    bracketed = _BRACKETED.fullmatch(text)
    body = (bracketed[1] or bracketed[2] or "") if bracketed else text
    entries = [entry for entry in _SEPARATOR.split(body) if entry]
    return [float(entry) for entry in entries] if all(map(is_one_number, entries)) else []
