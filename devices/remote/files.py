"""This module sends files to a remote machine, each content once, and names them there."""

import errno
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from devices.remote.answers import BadAnswerError
from devices.remote.session import RemoteSession
from devices.sensors.machine import sha256

PIECE_BYTES = 1 << 20
_TRIES = 3  # the end of another session may remove a file that has just arrived
_PUT_SECONDS = 600.0  # the answer to the last piece waits until the whole file is checked


@dataclass(frozen=True, slots=True)
class _State:
    """A file as it was when its digest was computed."""

    size: int
    mtime_ns: int
    digest: str


class RemoteFiles:
    """The files of a session on a remote machine.

    The machine knows a content by its SHA-256 and keeps it for later sessions, so that it is sent
    once. Of a file that has only grown, the new part is sent.

    Args:
        session: The session.

    Attributes:
        sent_bytes: The number of bytes that were sent so far.
    """

    def __init__(self, session: RemoteSession) -> None:
        self._session = session
        self._known: dict[Path, _State] = {}
        self.sent_bytes = 0

    def place(self, files: Mapping[str, Path | bytes]) -> str:
        """Put files, or bytes as files, under these names into a folder there, and return its path.

        Raises:
            OSError: A file cannot be read.
            RefusedError: A name leads out of the folder, or the machine cannot store a file.
            ConnectionLostError: The connection did not come back in time.
            SessionLostError: The machine restarted meanwhile.
            BadAnswerError: The machine does not keep what it received.
        """
        earlier = dict(self._known)
        digests = {name: self._digest(content) for name, content in files.items()}
        contents = {digests[name]: content for name, content in files.items()}
        for _ in range(_TRIES):
            answer = self._session.ask("link", files=digests)
            if not answer["missing"]:
                return str(answer["folder"])
            for digest in answer["missing"]:
                if digest not in contents:
                    raise self._bad(f"asks for the file {digest}, which is none of this session's")
                self._send(contents[digest], digest, earlier)
        raise self._bad(f"has lost the file {answer['missing'][0]} each time it was sent")

    def _digest(self, content: Path | bytes) -> str:
        if isinstance(content, bytes):
            return hashlib.sha256(content).hexdigest()
        status, known = content.stat(), self._known.get(content)
        if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known.digest
        digest = sha256(str(content), status.st_size)
        self._known[content] = _State(status.st_size, status.st_mtime_ns, digest)
        return digest

    def _send(self, content: Path | bytes, digest: str, earlier: Mapping[Path, _State]) -> None:
        if isinstance(content, bytes):
            self._put(io.BytesIO(content), digest, 0, len(content))
            return
        size, before = self._known[content].size, earlier.get(content)
        if before and before.size < size and sha256(str(content), before.size) == before.digest:
            answer = self._session.ask("grow", old=before.digest, digest=digest)
        else:
            answer = self._session.ask("received", digest=digest)
        with content.open("rb") as file:
            self._put(file, digest, min(int(answer["offset"]), size), size)

    def _put(self, file: BinaryIO, digest: str, offset: int, size: int) -> None:
        file.seek(offset)
        is_whole = False
        while not is_whole:
            piece = file.read(PIECE_BYTES)
            if not piece and offset < size:
                raise OSError(errno.EIO, "changed while it was sent", getattr(file, "name", ""))
            place = {"digest": digest, "offset": offset, "size": size}
            answer = self._session.ask("put", payload=piece, timeout_s=_PUT_SECONDS, **place)
            offset, is_whole = offset + len(piece), answer["is_whole"]
            self.sent_bytes += len(piece)
            if is_whole != (offset == size):
                raise self._bad(
                    f"has {'all' if is_whole else 'a part'} of {offset} bytes of {size}"
                )

    def _bad(self, what: str) -> BadAnswerError:
        place = self._session.address.destination
        return BadAnswerError(f"{place} {what}. Look at what runs there.")
