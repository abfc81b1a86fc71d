"""Files by their SHA-256, kept on the machine from session to session."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import time

from devices.remote.agent.wire import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    Message = Dict[str, Any]

KEPT_DAYS = 14
KEPT_BYTES = 2 << 30
QUICKLY_SENT_BYTES = 1 << 20  # what is smaller does not outlive its session


class Blobs:
    """Files by their SHA-256, kept from session to session."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def path(self, digest: str) -> str:
        """Where a file is when it is there."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise Refused("a digest has 64 hexadecimal digits, got %r" % digest)
        return os.path.join(self.folder, digest)

    def has(self, digest: str) -> bool:
        """Whether the whole file is there."""
        return os.path.exists(self.path(digest))

    def received(self, digest: str) -> int:
        """Bytes of it that an interrupted transfer has left."""
        try:
            return os.path.getsize(self.path(digest) + ".part")
        except OSError:
            return 0

    def grow(self, old: str, new: str) -> int:
        """Take `old` for the beginning of `new`; the bytes of that."""
        if self.has(old) and not self.received(new):
            os.rename(self.path(old), self.path(new) + ".part")
        return self.received(new)

    def put(self, digest: str, offset: int, data: bytes, size: int) -> bool:
        """Write a piece; True once all is there and has the digest."""
        part = self.path(digest) + ".part"
        with open(part, "r+b" if os.path.exists(part) else "w+b") as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(data)
            if offset + len(data) < size:
                return False
        received = sha256(part)
        if received != digest:
            os.unlink(part)
            raise Refused("a file of %d bytes arrived damaged, with SHA-256 %s" % (size, received))
        os.rename(part, self.path(digest))
        return True

    def link(self, digest: str, path: str) -> None:
        """Give the file a name, and remember that it is of use."""
        os.utime(self.path(digest))
        if os.path.exists(path):
            if os.path.samefile(path, self.path(digest)):
                return
            os.unlink(path)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.link(self.path(digest), path)

    def tidy(self) -> None:
        """Remove what was not used for long, and the oldest of too much."""
        files = sorted(
            ((os.stat(path), path) for path in self.files()), key=lambda x: x[0].st_mtime
        )
        total = sum(status.st_size for status, _ in files)
        for status, path in files:
            if status.st_mtime < time.time() - KEPT_DAYS * 86400 or total > KEPT_BYTES:
                os.unlink(path)
                total -= status.st_size

    def forget(self, digests: List[str]) -> None:
        """Remove those of these that are quick to send again."""
        for path in map(self.path, digests):
            if os.path.exists(path) and os.path.getsize(path) < QUICKLY_SENT_BYTES:
                os.unlink(path)

    def files(self) -> List[str]:
        """All of them."""
        return glob.glob(os.path.join(glob.escape(self.folder), "*"))


def sha256(path: str) -> str:
    """The digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
