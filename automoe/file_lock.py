"""Keeping a second process out of what a first one writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def held(lock: Path, refusal: Exception, *, is_singleton: bool = False) -> Iterator[None]:
    """Hold a lock for as long as the `with` block lasts; never wait for it.

    Args:
        lock: The file; its folder must be there.
        refusal: What to raise when another process holds it.
        is_singleton: Whether this process may hold it several times at once.

    Raises:
        Exception: ``refusal``.
    """
    found = FileLock(lock, timeout=0, is_singleton=is_singleton)
    try:
        found.acquire()
    except Timeout:
        raise refusal from None
    try:
        yield
    finally:
        found.release()
