"""The relay passes bytes between the connection and the keeper of a session.

It starts the keeper when there is none. Its own source is the first thing that arrives over stdin.
A line of JSON with the settings follows, and then a zip that holds the keeper. The relay prints a
greeting, which separates what follows from whatever a login shell has printed. From then on it only
passes bytes.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Message = Dict[str, Any]

GREETING = b"automoe-agent "
CHUNK = 1 << 16
STDERR_TAIL = 2000


def cache_folder() -> str:
    """Return the folder of all sessions and files."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "automoe")


def enter(session: str, cache: str) -> None:
    """Make the session's folder the current one. Only this user may enter it."""
    if not re.match("[0-9a-f]{16}$", session):
        raise ValueError("a session is named by 16 hexadecimal digits, got %r" % session)
    folder = os.path.join(cache, "sessions", session)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chdir(folder)


def dial() -> socket.socket:
    """Return a connection to the keeper that waits in this folder."""
    link = socket.socket(socket.AF_UNIX)
    link.connect("socket")
    return link


def start_keeper(settings: Message, program: bytes, cache: str) -> Message:
    """Start a keeper in this folder and return its first answer, or {"refused": ...}."""
    with open("keeper.zip", "wb") as file:
        file.write(program)
    python = os.path.expanduser(settings["python"]) or sys.executable
    try:
        with open("keeper.log", "wb") as log:
            keeper = subprocess.Popen(
                [python, os.path.abspath("keeper.zip"), cache],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # it stays when the connection ends
            )
        with keeper.stdin, keeper.stdout:  # type: ignore[union-attr]
            keeper.stdin.write(json.dumps(settings).encode() + b"\n")  # type: ignore[union-attr]
            keeper.stdin.close()  # type: ignore[union-attr]
            words = keeper.stdout.readline()  # type: ignore[union-attr]
    except OSError as error:
        return {"refused": "its Python %s cannot be run (%s)" % (python, error.strerror)}
    if words:
        return dict(json.loads(words.decode()))
    with open("keeper.log", "rb") as log:
        tail = log.read()[-STDERR_TAIL:].decode(errors="replace").strip()
    return {"refused": "its Python %s failed: %s" % (python, tail.rpartition("\n")[2])}


def connect(settings: Message, program: bytes) -> Tuple[Optional[socket.socket], Message]:
    """Return a connection to the session's keeper, or None, and what the greeting says."""
    cache = cache_folder()
    try:
        enter(settings["session"], cache)
    except (OSError, ValueError) as error:
        return None, {"refused": "its cache cannot be used: %s" % error}
    words = {"python": None}
    try:
        link = dial()
    except OSError:
        words = start_keeper(settings, program, cache)
        if "refused" in words:
            return None, words
        link = dial()
    link.sendall(b'{"purpose": "serve"}\n')
    return link, words


def relay(link: socket.socket) -> None:
    """Pass bytes both ways until one side ends."""
    sources: List[Any] = [0, link]
    while True:
        ready = select.select(sources, [], [])[0]
        if link in ready:
            data = link.recv(CHUNK)
            if not data:
                return
            write_all(data)
        if 0 in ready:
            data = os.read(0, CHUNK)
            if not data:
                return
            link.sendall(data)


def write_all(data: bytes) -> None:
    """Write all bytes to stdout."""
    while data:
        data = data[os.write(1, data) :]


def main() -> None:
    """Read the settings and the keeper's program, connect to the keeper, and pass bytes."""
    os.umask(0o077)
    settings = json.loads(sys.stdin.buffer.readline())
    program = sys.stdin.buffer.read(settings["program_bytes"])
    link, words = connect(settings, program)
    write_all(GREETING + json.dumps(words).encode() + b"\n")
    if link:
        try:
            relay(link)
        except OSError:
            pass  # one side is gone; the keeper waits for the next connection


if __name__ == "__main__":
    main()
