"""This module defines how work that takes long reports its progress and its time."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class OnProgress(Protocol):
    """A function that is called after each piece of work."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Report that ``done`` of ``total`` pieces are finished; ``note`` is for a person."""


# It is called with the title of a stage and gives the function that the stage reports to.
StageReporter = Callable[[str], AbstractContextManager[OnProgress]]


def no_progress(done: int, total: int, note: str = "") -> None:
    """Report nothing."""


def duration(seconds: float) -> str:
    """Return seconds in a unit that is easy to read, with two digits or more."""
    value, unit = (seconds, "s") if seconds >= 0.01 or not seconds else (1000 * seconds, "ms")
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            value, unit = seconds / size, name
            break
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
