"""Engines are native code, so they are kept in files that only this user can write."""

from __future__ import annotations

import glob
import os
import stat
import sys
import tempfile
from typing import Optional

CACHE_BYTES = 4 << 30


def cache_folder() -> str:
    """Return the folder of kept engines. Nobody else may write there.

    Raises:
        RuntimeError: The folder belongs to somebody else, or others can read or write it.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(caches, "automoe", "engines")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RuntimeError(
            "%s must be your own folder, which nobody else can read or write, because engines "
            "are native code. Run chmod 700 on it, or remove it" % folder
        )
    return folder


def read_own(path: str) -> Optional[bytes]:
    """Return the content of a file that only this user could write; None when there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(file)
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            return None
        return opened.read()


def write_own(path: str, content: bytes) -> None:
    """Write a file that only this user can read. It is written whole or not at all."""
    file, partial = tempfile.mkstemp(dir=os.path.dirname(path))  # its mode is 600
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def keep(path: str, content: bytes) -> None:
    """Write a file that saves later processes work. A full disk stops no measurement."""
    try:
        write_own(path, content)
    except OSError as error:
        sys.stderr.write("%s cannot be kept: %s\n" % (path, error))


def make_room(folder: str, n_bytes: int) -> None:
    """Remove the engines that were not used for longest until there is room for `n_bytes`."""
    engines = glob.glob(os.path.join(glob.escape(folder), "*.engine"))
    kept = sorted((os.stat(path).st_mtime, os.path.getsize(path), path) for path in engines)
    total = n_bytes + sum(size for _, size, _ in kept)
    for _, size, path in kept:
        if total <= CACHE_BYTES:
            break
        for file in (path, path + ".kernels"):
            if os.path.exists(file):
                os.unlink(file)
        total -= size
