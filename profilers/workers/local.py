"""A local worker is a child process that is reached over its pipes."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from devices import LocalDevice
from devices.plain_text import plain_text, plain_values
from devices.remote.agent.child import Child
from devices.remote.agent.wire import LONGEST_ANSWER_BYTES, Gone, TooLong
from devices.runtimes import runtime_of
from profilers.workers import sent_program
from profilers.workers.answers import check_answer

_QUIT_SECONDS = 2.0


class WorkerError(RuntimeError):
    """The worker answered that it could not do what was asked. It keeps running."""


class WorkerDied(RuntimeError):  # noqa: N818  it is an event and not an error
    """The worker crashed or did not answer in time. It does not run any more."""


class ProfilingError(RuntimeError):
    """Nothing can be measured: no worker starts, or not even the sentinel runs."""


class SentinelError(ProfilingError):
    """The sentinel cannot be run, so nothing can be measured beside it."""


class OpenWorker(Protocol):
    """A worker that answers requests: a child process, one on another machine, or a simulated one.

    Attributes:
        hello: The versions, providers and process id, as the worker gave them.
    """

    hello: dict[str, Any]

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """Return the worker's answer to one request; `program/worker.py` has the operations.

        Raises:
            WorkerError: The worker reports an error. It keeps running.
            WorkerDied: The worker does not run any more.
        """
        ...


def read_reply(line: bytes | str, request: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the answer in a line of a worker, with texts that a terminal can show.

    Args:
        line: The line.
        request: The request that the worker was sent.
        place: The place where the worker runs, as messages name it.

    Raises:
        WorkerError: The worker reports an error.
        ValueError: The line is not an answer to the request. The message names the field.
    """
    op = request["op"]
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError(f"it answered {content!r:.40}, which is not an object")
    if content.pop("seq", request["seq"]) != request["seq"]:
        raise ValueError("it gave the answer to another request")
    try:
        reply: dict[str, Any] = plain_values(content)
    except RecursionError:
        raise ValueError("its answer is nested too deeply") from None
    if "error" in reply:
        raise WorkerError(f"The worker on {place} failed in {op!r}: {reply['error']}")
    check_answer(reply, op, request)
    return reply


def worker_died(place: str, how: str, status: object, tail: str | None) -> WorkerDied:
    """Return the error of a worker that is dead, with its exit status and the end of its stderr."""
    return WorkerDied(
        f"The worker on {place} died {how}, exit status {status}. "
        f"Its last words: {plain_text(tail or '') or '(none)'}"
    )


def does_not_start(place: str, options: str, error: object) -> ProfilingError:
    """Return the error of a worker that does not start.

    Args:
        place: The place where it should run, as messages name it.
        options: The options that name its device to `automoe doctor`.
        error: The reason.
    """
    return ProfilingError(f"No worker starts on {place}; run `automoe doctor {options}`. {error}")


OpensWorker = Callable[[], AbstractContextManager[OpenWorker]]


class WorkerProcess:
    """A new worker on `device`, for as long as the `with` block lasts.

    Args:
        device: The device that the worker runs on.
        timeout_s: The time that any one request may take, in seconds.

    Attributes:
        hello: The versions, providers and process id, as the worker gave them.
    """

    def __init__(self, device: LocalDevice, *, timeout_s: float = 300.0) -> None:
        self._device = device
        self._timeout_s = timeout_s
        self._child: Child | None = None
        self._seq = 0
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> "WorkerProcess":
        """Start the worker.

        Raises:
            ProfilingError: The worker does not start, or has no usable runtime.
        """
        try:
            self._child = self._start()
            self.hello = self.request("hello")
        except BaseException as error:
            self._close()
            if isinstance(error, OSError | WorkerError | WorkerDied):
                options = f"--device {self._device.name}"
                raise does_not_start(self._place, options, error) from error
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Ask the worker to quit. Kill it when it does not, or when the block raised."""
        if kind is None:
            with contextlib.suppress(WorkerDied, WorkerError, subprocess.TimeoutExpired):
                self._timeout_s = _QUIT_SECONDS
                self.request("quit")
                self._running().process.wait(_QUIT_SECONDS)
        self._close()

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """Return the worker's answer to one request.

        Raises:
            WorkerError: The worker reports an error.
            WorkerDied: The worker crashed, or did not answer within the time allowed.
        """
        child = self._running()
        self._seq += 1
        request = {"op": op, "seq": self._seq, **fields}
        try:
            child.write(json.dumps(request).encode() + b"\n", self._timeout_s)
            return read_reply(child.read_line(self._timeout_s), request, self._place)
        except Gone:
            raise self._died(f"during {op!r}") from None
        except TimeoutError:
            raise self._died(f"by not answering {op!r} within {self._timeout_s:g} s") from None
        except TooLong:
            raise self._died(
                f"during {op!r} (its answer has more than {LONGEST_ANSWER_BYTES >> 20} MiB)"
            ) from None
        except (OSError, ValueError) as error:
            raise self._died(f"during {op!r} ({error})") from error

    def _start(self) -> Child:
        environment = self._device.worker_environment()
        # The program is a file in memory, so that nothing is left when this process is killed.
        with os.fdopen(os.memfd_create(sent_program.NAME), "wb") as program:
            program.write(sent_program.worker_program(runtime_of(self._device)))
            program.flush()
            command = self._device.worker_command(Path(f"/proc/self/fd/{program.fileno()}"))
            return Child(command, environment, descriptors=[program.fileno()])

    def _running(self) -> Child:
        if self._child is None:
            raise RuntimeError("A worker is asked within its `with` block only.")
        return self._child

    @property
    def _place(self) -> str:
        return repr(self._device.name)

    def _died(self, how: str) -> WorkerDied:
        """End the child and return the error to raise."""
        child = self._running()
        return worker_died(self._place, how, child.end(), child.last_words())

    def _close(self) -> None:
        if self._child is not None:
            self._child.end()
