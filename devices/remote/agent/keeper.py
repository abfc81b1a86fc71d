"""The keeper keeps a session while connections come and go. It holds the lock and the worker.

A request is a line of JSON, {"seq": n, "op": name, ...}, followed by `bytes` raw bytes. An answer
is a line of JSON. At most one request is unanswered. The keeper remembers its last answer. When a
request is sent again after a lost connection, it is answered again but not carried out again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import sys
import time
from typing import Any, List, Optional, Set

from devices.remote.agent.blobs import Blobs
from devices.remote.agent.child import Child
from devices.remote.agent.lock import take_lock
from devices.remote.agent.sessions import clear_abandoned
from devices.remote.agent.wire import (
    LONGEST_ANSWER_BYTES,
    Gone,
    Message,
    Refused,
    TooLong,
    Wire,
    listen,
)
from devices.sensors.machine import ThisMachine

OLDEST_PYTHON = (3, 8)
UNUSED_SECONDS = 60.0  # a client that has asked nothing yet may have missed the greeting
# The PATH of a user over SSH may lack these folders.
MACHINE = ThisMachine(program_folders=("/usr/local/sbin", "/usr/sbin", "/sbin"))
# The methods of `MACHINE` that a request may name: the remote half of `devices.host.Host`.
QUESTIONS = ("kernel", "usable_cpus", "read_text", "glob", "run", "package_version")
# The methods of a keeper that a request may name.
OPERATIONS = ("link", "received", "grow", "put", "lock", "start", "ask_worker", "stop", "end")


class Keeper:
    """The keeper of one session.

    Args:
        folder: The session's own folder, which no other user can enter.
        cache: The folder of all sessions and files, two levels above.
        settings: `owner` is who may take over a session that was left alone. `patience_s` is how
            long a session waits for its client, and `idle_s` after how long a silent connection
            counts as lost; both are in seconds.
    """

    def __init__(self, folder: str, cache: str, settings: Message) -> None:
        self.work = os.path.join(folder, "work")
        self.blobs = Blobs(os.path.join(cache, "blobs"))
        self.folder = folder
        self.settings = settings
        self.listener = listen()
        self.wire: Optional[Wire] = None
        self.heard = time.monotonic()
        self.seq = 0
        self.answer: Optional[Message] = None
        self.worker: Optional[Child] = None
        self.is_asking = False
        self.lock_file: Optional[int] = None
        self.used: Set[str] = set()
        self.is_over = False

    def tidy(self) -> None:
        """Remove what earlier sessions have left, and files that were not used for long."""
        if clear_abandoned(self.folder):
            self.blobs.forget()
        self.blobs.tidy()

    def run(self) -> None:
        """Serve until the client ends the session, or until no client came back in time."""
        while not self.is_over:
            if self.wire and self.wire.has_line():  # it arrived together with an earlier one
                self.serve(self.wire)
                continue
            ready = select.select(self.sources(), [], [], self.timeout_s())[0]
            if self.worker in ready:
                self.forward_answer()
            elif self.wire and self.wire.link in ready:
                self.serve(self.wire)
            elif self.listener in ready:
                self.accept_connection(Wire(self.listener.accept()[0]))
            elif not ready and self.wire:
                self.close_connection()  # it was silent too long and counts as lost
            elif not ready:
                return

    def sources(self) -> List[Any]:
        """Return everything that something may come from."""
        sources: List[Any] = [self.listener]
        if self.wire:
            sources.append(self.wire.link)
        if self.worker and self.is_asking:
            sources.append(self.worker)
        return sources

    def timeout_s(self) -> Optional[float]:
        """Return how many seconds nothing may happen; None while the worker computes.

        The client decides how long a worker may take.
        """
        if self.wire and self.is_asking:
            return None
        limit = float(self.settings["idle_s" if self.wire else "patience_s"])
        if not self.seq:
            limit = min(limit, UNUSED_SECONDS)
        return max(0.0, self.heard + limit - time.monotonic())

    def close_connection(self) -> None:
        """Close the connection and wait for the next one."""
        if self.wire:
            self.wire.close()
        self.wire, self.heard = None, time.monotonic()

    def accept_connection(self, wire: Wire) -> None:
        """Accept a connection of the client, or answer another session that asks to take over.

        A new connection of the client replaces the old one, which must be dead.
        """
        try:
            first = json.loads(wire.line())
            if first["purpose"] == "serve":
                self.close_connection()
                self.wire = wire
                return
            self.is_over = self.wire is None and first["owner"] == self.settings["owner"]
            wire.send({"is_over": self.is_over})
        except (Gone, ValueError):
            pass
        wire.close()

    def serve(self, wire: Wire) -> None:
        """Answer the next request, or close a connection that has failed."""
        try:
            self.take_request(wire)
        except (Gone, ValueError):
            self.close_connection()

    def take_request(self, wire: Wire) -> None:
        """Read one request. Carry it out when it is new, and repeat its answer when it is not."""
        request = request_in(wire.line())
        data = wire.raw(request["bytes"])
        self.heard = time.monotonic()
        if request["seq"] == self.seq:
            if self.answer is not None:
                wire.send(self.answer)
            return
        is_next = request["seq"] == self.seq + 1
        self.seq, self.answer = request["seq"], None
        # If it is not the next one, its session has ended, with its keeper or with the machine.
        answer = self.carry_out(request, data) if is_next else {"lost": True}
        if answer is not None:
            self.reply(answer)

    def carry_out(self, request: Message, data: bytes) -> Optional[Message]:
        """Return the answer to a request; None when the answer comes later."""
        try:
            if request["op"] in QUESTIONS:
                return {"answer": getattr(MACHINE, request["op"])(*request["arguments"])}
            if request["op"] not in OPERATIONS:
                raise Refused("the operation %r is unknown" % request["op"])
            reply: Optional[Message] = getattr(self, request["op"])(request, data)
            return reply
        except Refused as error:
            return {"refused": str(error)}
        except Exception as error:  # the client reports it, with what it has asked
            return {"refused": reason_of(error)}

    def reply(self, answer: Message) -> None:
        """Remember an answer, and send it when there is a connection."""
        self.answer = dict(answer, seq=self.seq)
        if self.wire:
            try:
                self.wire.send(self.answer)
            except Gone:
                self.close_connection()

    def forward_answer(self) -> None:
        """Pass on the worker's answer, or the news that the worker has ended."""
        assert self.worker is not None  # only then it is among the sources
        try:
            line = self.worker.receive()
        except Gone:
            self.is_asking = False
            self.reply({"died": self.end_worker()})
            return
        except TooLong:
            self.is_asking = False
            tail = "its answer has more than %d bytes" % LONGEST_ANSWER_BYTES
            self.reply({"died": dict(self.end_worker(), tail=tail)})
            return
        if line is not None:
            self.is_asking = False
            self.reply({"line": line.decode(errors="replace")})

    def link(self, request: Message, data: bytes) -> Message:
        """Name files in the work folder. `missing` are the digests that must be sent first."""
        files = request["files"]
        missing = sorted({digest for digest in files.values() if not self.blobs.has(digest)})
        for name, digest in files.items():
            if digest not in missing:
                self.used.add(digest)
                self.blobs.link(digest, self.inside(name))
        return {"missing": missing, "folder": self.work}

    def received(self, request: Message, data: bytes) -> Message:
        """Answer how many bytes of a file an interrupted transfer has left."""
        return {"offset": self.blobs.received(request["digest"])}

    def grow(self, request: Message, data: bytes) -> Message:
        """Answer how many bytes of a file are here when an older one is its first part.

        The new file replaces the older one.
        """
        self.used.discard(request["old"])
        return {"offset": self.blobs.grow(request["old"], request["digest"])}

    def put(self, request: Message, data: bytes) -> Message:
        """Take a piece of a file."""
        self.used.add(request["digest"])
        return {
            "is_whole": self.blobs.put(request["digest"], request["offset"], data, request["size"])
        }

    def lock(self, request: Message, data: bytes) -> Message:
        """Keep other sessions from measuring here. `holder` is who measures already, or None."""
        if self.lock_file is not None:
            return {"holder": None}
        self.lock_file, holder = take_lock(self.folder, self.settings["owner"])
        return {"holder": holder}

    def start(self, request: Message, data: bytes) -> Message:
        """Start a worker. An earlier one is ended."""
        if self.lock_file is None:
            raise Refused("the machine must be locked before a worker is started")
        self.end_worker()
        argv = [sys.executable, self.inside(request["worker"])]
        self.worker = Child(argv, request["environment"], folder=self.work)
        return {}

    def ask_worker(self, request: Message, data: bytes) -> Optional[Message]:
        """Pass a request to the worker. The answer follows when the worker has given it."""
        if self.worker is None:
            return {"died": {"status": None, "tail": ""}}
        self.is_asking = True
        with contextlib.suppress(OSError):  # when the worker has ended, so has its stdout
            self.worker.write(request["line"].encode() + b"\n")
        return None

    def stop(self, request: Message, data: bytes) -> Message:
        """End the worker, whatever it is doing."""
        self.is_asking = False
        return {"died": self.end_worker()}

    def end(self, request: Message, data: bytes) -> Message:
        """End the session."""
        self.is_over = True
        return {}

    def inside(self, name: str) -> str:
        """Return the path of a name in the work folder."""
        parts = name.split("/")
        if "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise Refused("a name must stay inside its folder, got %r" % name)
        return os.path.join(self.work, *parts)

    def end_worker(self) -> Message:
        """End the worker. Return its exit status and its last words, empty without a worker."""
        worker, self.worker = self.worker, None
        if worker is None:
            return {"status": None, "tail": ""}
        return {"status": worker.end(), "tail": worker.last_words()}

    def close(self) -> None:
        """End the worker and remove the files that are small enough to send again."""
        self.end_worker()
        self.blobs.forget(self.used)
        if self.wire:
            self.wire.close()
        self.listener.close()


def request_in(line: bytes) -> Message:
    """Return the request in a line.

    Raises:
        ValueError: The line is no request.
    """
    request = json.loads(line)
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise ValueError("a request is an object with an operation")
    if not isinstance(request.get("seq"), int) or not isinstance(request.get("bytes"), int):
        raise ValueError("a request has the numbers 'seq' and 'bytes'")
    return request


def reason_of(error: BaseException) -> str:
    """Return why something cannot be done, for the user of the client."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, Refused) else "%s: %s" % (type(error).__name__, error)


def main() -> None:
    """Keep a session in the current folder, then remove the folder."""
    os.umask(0o077)
    folder, cache = os.getcwd(), sys.argv[1]
    settings = json.loads(sys.stdin.readline())
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Refused("Python %s is too old; it must be at least 3.8" % sys.version.split()[0])
        shutil.rmtree("work", ignore_errors=True)
        os.mkdir("work", 0o700)
        keeper = Keeper(folder, cache, settings)
        keeper.tidy()
        print(json.dumps({"python": sys.version.split()[0]}), flush=True)
        try:
            keeper.run()
        finally:
            keeper.close()
    except (OSError, Refused) as error:
        print(json.dumps({"refused": reason_of(error)}))
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
