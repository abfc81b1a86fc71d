"""This module keeps files by their SHA-256 on the machine, from session to session."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import time
from typing import Container, List, Optional, Tuple

from devices.remote.agent.wire import Refused
from devices.sensors.machine import sha256

KEPT_DAYS = 14
KEPT_BYTES = 2 << 30
QUICKLY_SENT_BYTES = 1 << 20  # smaller files are removed with their session


class Blobs:
    """The files that are kept, each under its SHA-256.

    Args:
        folder: The folder of the files.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def path(self, digest: str) -> str:
        """Return the path of a file, whether or not it is there."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise Refused("a digest has 64 hexadecimal digits, got %r" % digest)
        return os.path.join(self.folder, digest)

    def has(self, digest: str) -> bool:
        """Return whether the whole file is there."""
        return os.path.exists(self.path(digest))

    def received(self, digest: str) -> int:
        """Return the number of bytes that an interrupted transfer of a file has left."""
        try:
            return os.path.getsize(self.path(digest) + ".part")
        except OSError:
            return 0

    def grow(self, old: str, new: str) -> int:
        """Make the file `old` the first part of `new`. Return how many bytes of `new` are there."""
        if self.has(old) and not self.received(new):
            os.rename(self.path(old), self.path(new) + ".part")
        return self.received(new)

    def put(self, digest: str, offset: int, data: bytes, size: int) -> bool:
        """Write a piece of a file. Return True when the file is complete and has the digest."""
        part = self.path(digest) + ".part"
        try:
            with open(part, "r+b" if os.path.exists(part) else "w+b") as file:
                file.truncate(offset)
                file.seek(offset)
                file.write(data)
        except OSError:  # a full disk, which the part would keep full
            remove(part)
            raise
        if offset + len(data) < size:
            return False
        received = sha256(part)
        if received != digest:
            os.unlink(part)
            raise Refused("a file of %d bytes arrived damaged, with SHA-256 %s" % (size, received))
        os.rename(part, self.path(digest))
        return True

    def link(self, digest: str, path: str) -> None:
        """Give a file a name, and mark it as used now."""
        os.utime(self.path(digest))
        if os.path.exists(path):
            if os.path.samefile(path, self.path(digest)):
                return
            os.unlink(path)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.link(self.path(digest), path)

    def tidy(self) -> None:
        """Remove files that were not used for long, and the oldest ones when there are too many."""
        files = sorted(self.statuses(), key=lambda x: x[0].st_mtime)
        total = sum(status.st_size for status, _ in files)
        for status, path in files:
            if status.st_mtime < time.time() - KEPT_DAYS * 86400 or total > KEPT_BYTES:
                remove(path)
                total -= status.st_size

    def forget(self, digests: Optional[Container[str]] = None) -> None:
        """Remove the files, and parts of files, that are quickly sent again.

        Args:
            digests: Of these only; None for all, when no session may use them.
        """
        for status, path in self.statuses():
            digest = os.path.basename(path).partition(".")[0]
            if status.st_size < QUICKLY_SENT_BYTES and (digests is None or digest in digests):
                remove(path)

    def statuses(self) -> List[Tuple[os.stat_result, str]]:
        """Return the status and the path of each file and each part of a file."""
        found = []
        for path in glob.glob(os.path.join(glob.escape(self.folder), "*")):
            with contextlib.suppress(FileNotFoundError):
                found.append((os.stat(path), path))
        return found


def remove(path: str) -> None:
    """Remove a file, unless another session was quicker."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
