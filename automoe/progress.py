"""How long work tells its caller how far it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class OnProgress(Protocol):
    """Called after each piece of work."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Say that ``done`` of ``total`` pieces are finished; ``note`` is for a person."""


# Called with the title of a step; gives where to report its progress.
StageReporter = Callable[[str], AbstractContextManager[OnProgress]]


def no_progress(done: int, total: int, note: str = "") -> None:
    """Tell nobody."""
