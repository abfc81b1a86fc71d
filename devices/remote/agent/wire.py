"""A wire carries lines and raw bytes over a socket whose name is in the session's folder."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Dict

Message = Dict[str, Any]

NAME = "socket"
CHUNK = 1 << 16
TRANSFER_SECONDS = 60.0  # between two pieces of a message


class Gone(Exception):  # noqa: N818  it is an event and not an error
    """The other end is closed or silent."""


class Refused(Exception):  # noqa: N818  it is an answer and not an error
    """A request that cannot be carried out. The message says why."""


class Wire:
    """One end of a connection.

    Args:
        link: The connected socket.
    """

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.unread = bytearray()
        link.settimeout(TRANSFER_SECONDS)

    def line(self) -> bytearray:
        """Return the next line without its end.

        Raises:
            Gone: The other end is closed or silent.
        """
        while b"\n" not in self.unread:
            self.unread += self.receive()
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def has_line(self) -> bool:
        """Return whether the next line has already been received."""
        return b"\n" in self.unread

    def raw(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self.unread) < size:
            self.unread += self.receive()
        data = bytes(self.unread[:size])
        del self.unread[:size]
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
