"""Files that only this user can write: engines are native code, so no other one is loaded."""

from __future__ import annotations

import glob
import os
import stat
import sys
import tempfile
from typing import Optional

CACHE_BYTES = 4 << 30


def cache_folder() -> str:
    """Where engines are kept; nobody else may write there."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(caches, "automoe", "engines")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RuntimeError(
            "%s must be a folder of yours that nobody else can read or write: engines are native "
            "code; chmod 700 it, or remove it" % folder
        )
    return folder


def read_own(path: str) -> Optional[bytes]:
    """The content of a file that this user wrote and nobody else could; None without one."""
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
    """Write a file that only this user can read, whole or not at all."""
    file, partial = tempfile.mkstemp(dir=os.path.dirname(path))  # with mode 600
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def keep(path: str, content: bytes) -> None:
    """Write what spares later processes work; a disk that is full costs no measurement."""
    try:
        write_own(path, content)
    except OSError as error:
        sys.stderr.write("%s cannot be kept: %s\n" % (path, error))


def make_room(folder: str, n_bytes: int) -> None:
    """Remove the engines that were not used for longest until there is room for another."""
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
