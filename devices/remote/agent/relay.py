"""The relay passes bytes between the connection and the keeper of a session.

It starts the keeper when there is none. Its own source is the first thing that arrives over stdin.
A line of JSON with the settings follows, and then a zip that holds the keeper. The relay prints a
greeting with a word that the client has chosen, which separates what follows from whatever a login
shell has printed. From then on it only passes bytes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Message = Dict[str, Any]

GREETING = "automoe-agent %s %s\n"
START_SECONDS = 45.0
CHUNK = 1 << 16
STDERR_TAIL = 2000


class Refused(Exception):  # noqa: N818  it is an answer and not an error
    """A session that cannot start. The message says why."""


def cache_folder() -> str:
    """Return the folder of all sessions and files."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "automoe")


def enter(session: str, cache: str) -> int:
    """Make the session's folder the current one, and return a descriptor that marks it as kept.

    Only this user may enter it.
    """
    if not re.match("[0-9a-f]{16}$", session):
        raise ValueError("a session is named by 16 hexadecimal digits, got %r" % session)
    sessions = os.path.join(cache, "sessions")
    os.makedirs(sessions, mode=0o700, exist_ok=True)
    entry = os.open(sessions, os.O_RDONLY)
    lock(entry)  # nobody removes the folder before it is marked
    folder = os.path.join(sessions, session)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chdir(folder)
    mark = os.open(folder, os.O_RDONLY)
    lock(mark)
    os.close(entry)
    return mark


def lock(descriptor: int) -> None:
    """Share the lock of a folder. On a file system without locks this changes nothing."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        pass


def dial() -> socket.socket:
    """Return a connection to the keeper that waits in this folder."""
    link = socket.socket(socket.AF_UNIX)
    link.connect("socket")
    return link


def start_keeper(settings: Message, program: bytes, cache: str, mark: int) -> Message:
    """Start a keeper in this folder and return its first answer.

    Raises:
        Refused: The keeper does not start.
    """
    with open("keeper.zip", "wb") as file:
        file.write(program)
    python = os.path.expanduser(settings["python"]) or sys.executable
    with open("keeper.log", "w+b") as log:
        try:
            keeper = subprocess.Popen(
                [python, os.path.abspath("keeper.zip"), cache],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # it stays when the connection ends
                pass_fds=(mark,),
            )
        except OSError as error:
            raise Refused("its Python %s cannot be run (%s)" % (python, error.strerror)) from error
        words = first_answer(keeper, json.dumps(settings).encode() + b"\n")
        log.seek(0)  # by now the keeper may have removed its name
        tail = log.read()[-STDERR_TAIL:].decode(errors="replace").strip()
    if "refused" in words:
        raise Refused(words["refused"])
    if not words:
        last = tail.rpartition("\n")[2] or "it gave no answer"
        raise Refused("its Python %s failed: %s" % (python, last))
    return words


def first_answer(keeper: Any, settings: bytes) -> Message:
    """Give a keeper its settings and return its first answer; empty when there is none in time."""
    with keeper.stdin, keeper.stdout:
        try:
            keeper.stdin.write(settings)
            keeper.stdin.close()
        except OSError:
            return {}
        if not select.select([keeper.stdout], [], [], START_SECONDS)[0]:
            keeper.kill()
            return {}
        try:
            return dict(json.loads(keeper.stdout.readline().decode()))
        except (TypeError, ValueError):  # it has ended, or is no Python
            return {}


def connect(settings: Message, program: bytes) -> Tuple[Optional[socket.socket], Message]:
    """Return a connection to the session's keeper, or None, and what the greeting says.

    A session that cannot start leaves no folder.
    """
    cache = cache_folder()
    try:
        mark = enter(settings["session"], cache)
    except (OSError, ValueError) as error:
        return None, {"refused": "its cache cannot be used: %s" % error}
    try:
        return reach_keeper(settings, program, cache, mark)
    except Refused as refusal:
        words = {"refused": str(refusal)}
    except OSError as error:
        words = {"refused": "its cache %s cannot be used: %s" % (cache, error.strerror)}
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    return None, words


def reach_keeper(
    settings: Message, program: bytes, cache: str, mark: int
) -> Tuple[socket.socket, Message]:
    """Return a connection to the keeper of this folder and its first answer.

    A new keeper is started when none answers. The answer of an earlier one is not known any more.

    Raises:
        Refused: The keeper does not start. The message says why.
        OSError: The keeper has ended, or the folder cannot be written.
    """
    words: Message = {"python": None}
    try:
        link = dial()
    except OSError:
        words = start_keeper(settings, program, cache, mark)
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
    if len(program) < settings["program_bytes"]:
        return  # the connection ended meanwhile
    link, words = connect(settings, program)
    write_all((GREETING % (settings["nonce"], json.dumps(words))).encode())
    if link:
        try:
            relay(link)
        except OSError:
            pass  # one side is gone; the keeper waits for the next connection


if __name__ == "__main__":
    main()
