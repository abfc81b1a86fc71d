"""This module writes files so that a crash, a full disk or a second process damages none.

All four packages write files, and each package imports only what stands below it. So this module is
in the lowest package, although it knows nothing about machines.
"""

import glob
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout

from devices.yaml_json import parse_json

_ABANDONED_SECONDS = 3600.0  # no file takes this long to write


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and move that file over ``path`` when the `with` block ends.

    When the block raises, the old file stays as it was and nothing else is left. Two processes may
    write the same file: each writes in a folder of its own, and the later one wins.

    Args:
        path: The file. Its folder is made when it is missing.

    Raises:
        OSError: The file cannot be written. The error names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):  # by a process that was killed
        if left.is_dir() and time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    try:
        with TemporaryDirectory(dir=path.parent, prefix=prefix) as folder:
            complete = Path(folder) / path.name
            yield complete
            complete.replace(path)
    except OSError as error:
        if prefix not in str(error.filename):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(
    path: Path, content: Any, *, indent: int | None = 2, allow_nan: bool = False
) -> None:
    """Write a JSON file. The old file is replaced as a whole or not at all.

    Args:
        path: The file. Its folder is made when it is missing.
        content: The content, in JSON types.
        indent: The number of spaces at each level. None writes one line, which is several times as
            fast.
        allow_nan: Whether numbers that are not finite are written. Only Python reads them back.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(content, indent=indent, allow_nan=allow_nan) + "\n"
    with replacing(path) as complete:
        complete.write_text(text, encoding="utf-8")


def append_line(path: Path, content: Any) -> None:
    """Append a line of JSON to a file. The line is on disk when this function returns.

    A line that a killed process left unfinished stays as it is, and the new one starts after it.
    Nothing is removed from the file, because another process may be appending to it as well.

    Args:
        path: The file. Its folder is made when it is missing.
        content: The content of the line, in JSON types.

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
    """Return the contents of a file's lines of JSON, in order. A line that is not JSON is skipped.

    Args:
        path: The file. The list is empty when the file is missing.
    """
    contents = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            contents.append(parse_json(line))
        except ValueError:
            continue
    return contents


@contextmanager
def held(lock: Path, refusal: Exception, *, is_singleton: bool = False) -> Iterator[None]:
    """Hold a lock for as long as the `with` block lasts. This never waits for the lock.

    Args:
        lock: The file of the lock. Its folder must exist.
        refusal: The error to raise when another process holds the lock.
        is_singleton: Whether this process may hold the lock several times at once.

    Raises:
        Exception: Another process holds the lock; the error is ``refusal``.
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
