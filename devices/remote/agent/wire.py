"""A wire carries lines and raw bytes over a socket whose name is in the session's folder."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Dict, Optional

Message = Dict[str, Any]

NAME = "socket"
CHUNK = 1 << 16
TRANSFER_SECONDS = 60.0  # between two pieces of a message
LONGEST_ANSWER_BYTES = 16 << 20  # of a worker; a block of many samples has about 1 MiB
LONGEST_LINE_BYTES = 4 * LONGEST_ANSWER_BYTES  # such an answer is quoted in a message


class Gone(Exception):  # noqa: N818  it is an event and not an error
    """The other end is closed or silent."""


class TooLong(Exception):  # noqa: N818  it is an event and not an error
    """The other end sends a line without an end."""


class Refused(Exception):  # noqa: N818  it is an answer and not an error
    """A request that cannot be carried out. The message says why."""


class Lines:
    """The lines among the bytes that arrive, whatever pieces they arrive in."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.searched = 0

    def add(self, data: bytes) -> None:
        """Add the bytes that came next."""
        self.unread += data

    def take(self, most_bytes: int = LONGEST_LINE_BYTES) -> Optional[bytes]:
        """Return the next line without its end, or None when it is not complete.

        Raises:
            TooLong: The line has more bytes than are allowed.
        """
        end = self.unread.find(b"\n", self.searched)
        if max(end, len(self.unread) if end < 0 else 0) > most_bytes:
            raise TooLong
        if end < 0:
            self.searched = len(self.unread)
            return None
        line = bytes(self.unread[:end])
        del self.unread[: end + 1]
        self.searched = 0
        return line

    def take_raw(self, size: int) -> Optional[bytes]:
        """Return the next `size` bytes, or None when they are not complete."""
        if len(self.unread) < size:
            return None
        data = bytes(self.unread[:size])
        del self.unread[:size]
        self.searched = 0
        return data


class Wire:
    """One end of a connection.

    Args:
        link: The connected socket.
    """

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.lines = Lines()
        link.settimeout(TRANSFER_SECONDS)

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises:
            Gone: The other end is closed or silent, or its line is too long.
        """
        try:
            line = self.lines.take()
            while line is None:
                self.lines.add(self.receive())
                line = self.lines.take()
        except TooLong as error:
            raise Gone from error
        return line

    def has_line(self) -> bool:
        """Return whether the next line has already been received."""
        return b"\n" in self.lines.unread

    def raw(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            Gone: The other end is closed or silent, or the size is none that is sent.
        """
        if not 0 <= size <= LONGEST_LINE_BYTES:
            raise Gone
        data = self.lines.take_raw(size)
        while data is None:
            self.lines.add(self.receive())
            data = self.lines.take_raw(size)
        return data

    def receive(self) -> bytes:
        """Return the bytes that come next, at least one."""
        try:
            data = self.link.recv(CHUNK)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        return data

    def send(self, message: Message) -> None:
        """Send a message as one line of JSON.

        Raises:
            Gone: The other end is closed.
        """
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Close the connection."""
        self.link.close()


def listen() -> socket.socket:
    """Return a socket that listens in the current folder. It replaces an earlier one."""
    if os.path.exists(NAME):
        os.unlink(NAME)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(NAME)
    listener.listen(4)
    return listener


def dial(folder: str) -> Wire:
    """Connect to the socket in a folder.

    The path of a socket must be short, so the folder becomes the current one for a moment.
    """
    here = os.getcwd()
    os.chdir(folder)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(NAME)
    except OSError:
        link.close()
        raise
    finally:
        os.chdir(here)
    return Wire(link)
