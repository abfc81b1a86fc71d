"""A worker in a child process, spoken to over its pipes."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

from devices import LocalDevice
from devices.runtimes import runtime_of
from profilers.workers import sent_program

_STDERR_TAIL = 2000
_QUIT_SECONDS = 2.0


class WorkerError(RuntimeError):
    """The worker answered that it could not do what was asked; it lives on."""


class WorkerDied(RuntimeError):  # noqa: N818  it is an event, and reads as one where it is caught
    """The worker crashed or did not answer in time; it is gone."""


class ProfilingError(RuntimeError):
    """Nothing can be measured: no worker starts, or not even the sentinel runs."""


class SentinelError(ProfilingError):
    """The sentinel cannot be run, so nothing can be measured beside it."""


class OpenWorker(Protocol):
    """A worker that answers: the one below, one on another machine, or a simulated one.

    Attributes:
        hello: Versions, providers and pid, as the worker gave them.
    """

    hello: dict[str, Any]

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """The worker's answer to one request; the operations are those of `program/worker.py`.

        Raises:
            WorkerError: The worker reports an error, and lives on.
            WorkerDied: It is gone.
        """
        ...


def read_reply(line: bytes | str, op: str, place: str) -> dict[str, Any]:
    """What a worker answered.

    Args:
        line: Its answer.
        op: What it was asked for.
        place: Where it runs, as a message names that.

    Raises:
        WorkerError: It reports an error.
        ValueError: It is no answer.
    """
    reply = json.loads(line)
    if not isinstance(reply, dict):
        raise ValueError(f"it answered {reply!r:.40}, which is no object")
    if "error" in reply:
        raise WorkerError(f"The worker on {place} failed in {op!r}: {reply['error']}")
    return reply


def died(place: str, how: str, status: object, tail: str | None) -> WorkerDied:
    """The error of a worker that is dead, with its exit status and the end of its stderr."""
    return WorkerDied(
        f"The worker on {place} died {how}, exit status {status}. "
        f"Its last words: {tail or '(none)'}"
    )


def starts_not(place: str, options: str, error: object) -> ProfilingError:
    """The error of a worker that does not start; `options` name its device to `automoe doctor`."""
    return ProfilingError(f"No worker starts on {place}; run `automoe doctor {options}`. {error}")


OpensWorker = Callable[[], AbstractContextManager[OpenWorker]]


class WorkerProcess:
    """A fresh worker on `device`, for as long as the `with` block lasts.

    Args:
        device: Where it runs.
        timeout_s: How long any one request may take, in seconds.

    Attributes:
        hello: Versions, providers and pid, as the worker gave them.
    """

    def __init__(self, device: LocalDevice, *, timeout_s: float = 300.0) -> None:
        self._device = device
        self._timeout_s = timeout_s
        self._unread = b""
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> "WorkerProcess":
        """Start the worker.

        Raises:
            ProfilingError: It does not start, or finds no usable runtime.
        """
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        self._folder = tempfile.TemporaryDirectory(prefix="automoe-")
        try:
            self._child = self._start()
        except BaseException as error:
            self._stderr.close()
            self._folder.cleanup()
            if isinstance(error, OSError):
                raise self._starts_not(error) from error
            raise
        try:
            self.hello = self.request("hello")
        except BaseException as error:
            self._close()
            if isinstance(error, WorkerError | WorkerDied):
                raise self._starts_not(error) from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask the worker to quit; kill it when it does not, or when something went wrong."""
        if error is None:
            self._quit()
        self._close()

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """The worker's answer to one request.

        Raises:
            WorkerError: The worker reports an error.
            WorkerDied: It crashed, or did not answer within the time allowed.
        """
        try:
            self._send({"op": op, **fields})
            return read_reply(self._read_line(op), op, self._place)
        except (OSError, ValueError) as error:
            raise self._died(f"during {op!r} ({error})") from error

    def _start(self) -> subprocess.Popen[bytes]:
        program = Path(self._folder.name) / sent_program.NAME
        program.write_bytes(sent_program.worker_program(runtime_of(self._device)))
        return subprocess.Popen(
            self._device.worker_command(program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **self._device.worker_environment()},
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the host, which ends the worker in order
        )

    @property
    def _place(self) -> str:
        return repr(self._device.name)

    def _starts_not(self, error: Exception) -> ProfilingError:
        return starts_not(self._place, f"--device {self._device.name}", error)

    def _send(self, message: dict[str, object]) -> None:
        assert self._child.stdin is not None  # we asked for a pipe
        self._child.stdin.write(json.dumps(message).encode() + b"\n")

    def _read_line(self, op: str) -> bytes:
        assert self._child.stdout is not None  # we asked for a pipe
        deadline = time.monotonic() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._died(f"by not answering {op!r} within {self._timeout_s:g} s")
                chunk = os.read(self._child.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise self._died(f"during {op!r}")
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _died(self, how: str) -> WorkerDied:
        """The error to raise, once the child is surely dead."""
        status = self._kill()
        self._stderr.seek(0)
        tail = self._stderr.read()[-_STDERR_TAIL:].decode(errors="replace").strip()
        return died(self._place, how, status, tail)

    def _quit(self) -> None:
        with contextlib.suppress(WorkerDied, WorkerError, subprocess.TimeoutExpired):
            self.request("quit")
            self._child.wait(_QUIT_SECONDS)

    def _kill(self) -> int:
        """End the child and all it has started, which would disturb what follows."""
        if self._child.returncode is None:
            with contextlib.suppress(PermissionError):  # what macOS says of a zombie
                os.killpg(self._child.pid, signal.SIGKILL)
        return self._child.wait()

    def _close(self) -> None:
        self._kill()
        for pipe in (self._child.stdin, self._child.stdout, self._stderr):
            if pipe is not None:
                pipe.close()
        self._folder.cleanup()
