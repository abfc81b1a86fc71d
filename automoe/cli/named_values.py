"""Read options that give a value to a name, such as ``--dim batch=2``, and may be repeated."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def by_name(flag: str, pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return the values by their names.

    Args:
        flag: The option that gave them, for the message.
        pairs: The names and values, in the order of the command line.

    Raises:
        ValueError: A name has two values.
    """
    values: dict[str, T] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"'{flag}' is given twice for '{name}'. Remove one.")
        values[name] = value
    return values
