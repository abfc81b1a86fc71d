"""Keeps a session while connections come and go: answers requests, holds the lock and the worker.

A request is a line of JSON, {"seq": n, "op": name, ...}, followed by `bytes` raw bytes; an answer
is a line of JSON. At most one request is unanswered. The last answer is remembered, so that a
request sent again after a lost connection is answered again and not carried out again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Set

from devices.remote.agent.blobs import Blobs
from devices.remote.agent.child import Child
from devices.remote.agent.lock import take_lock
from devices.remote.agent.questions import QUESTIONS
from devices.remote.agent.wire import Gone, Message, Refused, Wire, listen

OLDEST_PYTHON = (3, 8)


class Keeper:
    """One session.

    Args:
        folder: The session's own, which nobody else can enter.
        cache: Its parent's parent, where the files are too.
        settings: `owner` may take over a session that was left alone; `patience_s` is how long a
            session waits for its owner, `idle_s` after how long a silent connection counts as
            lost.
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
        self.lock: Optional[int] = None
        self.used: Set[str] = set()
        self.is_over = False
        self.operations: Dict[str, Callable[[Message, bytes], Optional[Message]]] = {
            "link": self.link,
            "received": self.received,
            "grow": self.grow,
            "put": self.put,
            "lock": self.take_lock,
            "start": self.start,
            "tell": self.tell,
            "stop": self.stop,
            "end": self.end,
        }

    def run(self) -> None:
        """Serve until told to end, or until nobody came back."""
        self.blobs.tidy()
        while not self.is_over:
            if self.wire and self.wire.has_line():  # it came together with an earlier one
                self.serve(self.wire)
                continue
            ready = select.select(self.sources(), [], [], self.patience())[0]
            if self.worker in ready:
                self.collect()
            elif self.wire and self.wire.link in ready:
                self.serve(self.wire)
            elif self.listener in ready:
                self.welcome(Wire(self.listener.accept()[0]))
            elif not ready:
                self.lose_patience()

    def sources(self) -> List[Any]:
        """Where something may come from."""
        sources: List[Any] = [self.listener]
        if self.wire:
            sources.append(self.wire.link)
        if self.worker and self.is_asking:
            sources.append(self.worker)
        return sources

    def patience(self) -> Optional[float]:
        """How long nothing may happen, in seconds; what the worker does is the client's affair."""
        if self.wire and self.is_asking:
            return None
        limit = float(self.settings["idle_s" if self.wire else "patience_s"])
        return max(0.0, self.heard + limit - time.monotonic())

    def lose_patience(self) -> None:
        """Take a silent connection for lost; end when there is none."""
        if self.wire:
            self.hang_up()
        else:
            self.is_over = True

    def hang_up(self) -> None:
        """Let go of the connection, and wait for the next."""
        if self.wire:
            self.wire.close()
        self.wire, self.heard = None, time.monotonic()

    def welcome(self, wire: Wire) -> None:
        """A new connection replaces the old one, which must be dead; others may only ask."""
        try:
            first = json.loads(wire.line())
            if first["purpose"] == "serve":
                self.hang_up()
                self.wire = wire
                return
            self.is_over = self.wire is None and first["owner"] == self.settings["owner"]
            wire.send({"is_over": self.is_over})
        except (Gone, ValueError):
            pass
        wire.close()

    def serve(self, wire: Wire) -> None:
        """Answer the next request."""
        try:
            self.take(wire)
        except (Gone, ValueError):
            self.hang_up()

    def take(self, wire: Wire) -> None:
        """One request: carried out when it is new, its answer repeated when it is not."""
        request = json.loads(wire.line())
        data = wire.raw(int(request.get("bytes", 0)))
        self.heard = time.monotonic()
        if request["seq"] == self.seq:
            if self.answer is not None:
                wire.send(self.answer)
            return
        is_next = request["seq"] == self.seq + 1
        self.seq, self.answer = request["seq"], None
        # It goes on with a session that this keeper has not seen: its own ended, or the machine.
        answer = self.carry_out(request, data) if is_next else {"lost": True}
        if answer is not None:
            self.reply(answer)

    def carry_out(self, request: Message, data: bytes) -> Optional[Message]:
        """The answer; None when it comes later."""
        try:
            if request["op"] in QUESTIONS:
                return QUESTIONS[request["op"]](request)
            return self.operations[request["op"]](request, data)
        except Refused as error:
            return {"refused": str(error)}
        except Exception as error:  # told to the client, which knows what it asked
            return {"refused": "%s: %s" % (type(error).__name__, error)}

    def reply(self, answer: Message) -> None:
        """Keep the answer, and send it when somebody is there."""
        self.answer = dict(answer, seq=self.seq)
        if self.wire:
            try:
                self.wire.send(self.answer)
            except Gone:
                self.hang_up()

    def collect(self) -> None:
        """Pass the worker's answer on, or the news of its end."""
        assert self.worker is not None  # it was among the sources
        try:
            line = self.worker.receive()
        except Gone:
            self.is_asking = False
            self.reply({"died": self.end_worker()})
            return
        if line is not None:
            self.is_asking = False
            self.reply({"line": line.decode(errors="replace")})

    def link(self, request: Message, data: bytes) -> Message:
        """Name files in the work folder; `missing` are the digests that must be sent before."""
        files = request["files"]
        missing = sorted({digest for digest in files.values() if not self.blobs.has(digest)})
        for name, digest in files.items():
            if digest not in missing:
                self.used.add(digest)
                self.blobs.link(digest, self.inside(name))
        return {"missing": missing, "folder": self.work}

    def received(self, request: Message, data: bytes) -> Message:
        """How many bytes an interrupted transfer has left."""
        return {"offset": self.blobs.received(request["digest"])}

    def grow(self, request: Message, data: bytes) -> Message:
        """The same of a file that begins with the whole of an older one, which it replaces."""
        self.used.discard(request["old"])
        return {"offset": self.blobs.grow(request["old"], request["digest"])}

    def put(self, request: Message, data: bytes) -> Message:
        """Take a piece of a file."""
        return {
            "is_whole": self.blobs.put(request["digest"], request["offset"], data, request["size"])
        }

    def take_lock(self, request: Message, data: bytes) -> Message:
        """Keep others from measuring here until the session ends; `holder` is who does already."""
        if self.lock is not None:
            return {"holder": None}
        self.lock, holder = take_lock(self.folder, self.settings["owner"])
        return {"holder": holder}

    def start(self, request: Message, data: bytes) -> Message:
        """Start a worker in place of any other."""
        if self.lock is None:
            raise Refused("a worker is started under the lock only")
        self.end_worker()
        argv, stderr = [sys.executable, self.inside(request["worker"])], self.inside("stderr")
        self.worker = Child(argv, stderr, request["environment"])
        return {}

    def tell(self, request: Message, data: bytes) -> Optional[Message]:
        """Pass a request to the worker; its answer is ours, when it comes."""
        if self.worker is None:
            return {"died": {"status": None, "tail": ""}}
        self.is_asking = True
        with contextlib.suppress(OSError):  # a worker that has ended: its stdout ends as well
            self.worker.write(request["line"].encode() + b"\n")
        return None

    def stop(self, request: Message, data: bytes) -> Message:
        """End the worker, whatever it does."""
        self.is_asking = False
        return {"died": self.end_worker()}

    def end(self, request: Message, data: bytes) -> Message:
        """End the session."""
        self.is_over = True
        return {}

    def inside(self, name: str) -> str:
        """The path of a name in the work folder."""
        parts = name.split("/")
        if "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise Refused("a name must stay inside its folder, got %r" % name)
        return os.path.join(self.work, *parts)

    def end_worker(self) -> Message:
        """Its exit status and last words; nothing of one that never was."""
        worker, self.worker = self.worker, None
        if worker is None:
            return {"status": None, "tail": ""}
        return {"status": worker.end(), "tail": worker.last_words()}

    def close(self) -> None:
        """End the worker and drop the files that are quick to send again."""
        self.end_worker()
        self.blobs.forget(sorted(self.used))
        if self.wire:
            self.wire.close()
        self.listener.close()


def main() -> None:
    """Keep a session in the current folder, then remove the folder."""
    os.umask(0o077)
    folder, cache = os.getcwd(), sys.argv[1]
    settings = json.loads(sys.stdin.readline())
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise Refused("Python %s is too old, 3.8 is the oldest" % sys.version.split()[0])
        shutil.rmtree("work", ignore_errors=True)
        os.mkdir("work", 0o700)
        keeper = Keeper(folder, cache, settings)
        words = {"python": sys.version.split()[0], "executable": sys.executable}
        print(json.dumps(words), flush=True)
        try:
            keeper.run()
        finally:
            keeper.close()
    except Refused as error:
        print(json.dumps({"refused": str(error)}))
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
