"""Writing files so that a crash, a full disk or a second process leaves no damaged one.

All four packages write files, and each package imports only what stands below it. So this module
stands in the lowest one, although it knows nothing of machines.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the `with` block a path to write to; its end moves that file over ``path``.

    When the block raises, the old file stays as it was and nothing else is left. Two processes
    may write the same file: each writes in a folder of its own, and the last one wins.

    Args:
        path: The file; its folder is made when it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        complete = Path(folder) / path.name
        yield complete
        complete.replace(path)


def write_json(
    path: Path, content: Any, *, indent: int | None = 2, allow_nan: bool = False
) -> None:
    """Write JSON; replace the file at once or not at all.

    Args:
        path: The file; its folder is made when it is not there.
        content: JSON types.
        indent: Spaces at each level; None writes one line, which is several times as fast.
        allow_nan: Whether numbers that are not finite are written; only Python reads them back.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(content, indent=indent, allow_nan=allow_nan) + "\n"
    with replacing(path) as complete:
        complete.write_text(text, encoding="utf-8")


def append_line(path: Path, content: Any) -> None:
    """Write one more line of JSON; it is on disk when this returns.

    A line that a killed process left unfinished stays as it is, and this one starts after it:
    another process may be appending to the same file, so nothing is removed from it.

    Args:
        path: The file; its folder is made when it is not there.
        content: JSON types.

    Raises:
        ValueError: A number is not finite.
    """
    line = json.dumps(content, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read() == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Any]:
    """Return what the lines of JSON hold, in order; a line that is not JSON is skipped.

    Args:
        path: The file; the list is empty when it is not there.
    """
    contents = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            contents.append(json.loads(line))
        except ValueError:
            continue
    return contents


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
    file_lock = FileLock(lock, timeout=0, is_singleton=is_singleton)
    try:
        file_lock.acquire()
    except Timeout:
        raise refusal from None
    try:
        yield
    finally:
        file_lock.release()
