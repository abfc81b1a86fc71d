"""This module lets an interruption (Ctrl-C) wait until the weights are whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Interruption:
    """Whether the user interrupted.

    Attributes:
        is_asked_for: Whether an interruption waits for the end of the update.
    """

    is_asked_for: bool = False


@contextmanager
def waiting_interruption(*, is_alone: bool) -> Iterator[Interruption]:
    """Let the first Ctrl-C of the `with` block wait. A second one interrupts at once.

    Python's own handling stays where it must: in other threads, where the program handles the
    signal itself, and for processes that train together, which would wait for each other.

    Args:
        is_alone: Whether this process trains without others.
    """
    state = Interruption()
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_alone and is_main and before is signal.default_int_handler):
        yield state
        return

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        state.is_asked_for = True

    signal.signal(signal.SIGINT, ask)
    try:
        yield state
    finally:
        signal.signal(signal.SIGINT, before)
