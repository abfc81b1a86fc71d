"""This module defines how work that takes long reports its progress to the caller."""

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
