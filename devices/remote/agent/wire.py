"""Lines and raw bytes over a socket that has its name in the session's folder."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Dict

Message = Dict[str, Any]

NAME = "socket"
CHUNK = 1 << 16
TRANSFER_SECONDS = 60.0  # between two pieces of a message


class Gone(Exception):  # noqa: N818  it is an event
    """The other end is closed or silent."""


class Refused(Exception):  # noqa: N818  it is an answer
    """A request that cannot be carried out; the message says why."""


class Wire:
    """One end of a connection."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.unread = b""
        link.settimeout(TRANSFER_SECONDS)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\n" not in self.unread:
            self.unread += self.receive()
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def has_line(self) -> bool:
        """Whether the next line has come already."""
        return b"\n" in self.unread

    def raw(self, size: int) -> bytes:
        """The next bytes."""
        parts, missing = [self.unread[:size]], size - len(self.unread)
        self.unread = self.unread[size:]
        while missing > 0:
            part = self.receive()
            parts.append(part[:missing])
            self.unread = part[missing:]
            missing -= len(part)
        return b"".join(parts)

    def receive(self) -> bytes:
        """What comes next, at least a byte of it."""
        try:
            data = self.link.recv(CHUNK)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        return data

    def send(self, message: Message) -> None:
        """One line of JSON."""
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Let go of the connection."""
        self.link.close()


def listen() -> socket.socket:
    """Wait for connections in the current folder, in place of whoever did before."""
    if os.path.exists(NAME):
        os.unlink(NAME)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(NAME)
    listener.listen(4)
    return listener


def dial(folder: str) -> Wire:
    """Connect to who listens in a folder; a socket's path must be short, hence the detour."""
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
