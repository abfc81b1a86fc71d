"""How long work tells its caller how far it is."""

from typing import Protocol


class OnProgress(Protocol):
    """Called after each piece of work."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Say that ``done`` of ``total`` pieces are finished; ``note`` is for a person."""


def no_progress(done: int, total: int, note: str = "") -> None:
    """Tell nobody."""
