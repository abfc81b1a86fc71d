"""A remote worker runs on another machine and is reached over the session there."""

import hashlib
import json
from pathlib import Path
from typing import Any

from devices.remote.device import RemoteDevice
from devices.remote.session import NoAnswerError, SessionLostError
from devices.runtimes import runtime_of
from profilers.workers import sent_program
from profilers.workers.local import (
    ProfilingError,
    WorkerDied,
    WorkerError,
    does_not_start,
    read_reply,
    worker_died,
)
from profilers.workload.fields import WorkloadError
from profilers.workload.files import workload_files

_STARTS = 3  # a machine that restarts each time cannot be measured


class RemoteWorker:
    """A new worker on a remote device, for as long as the `with` block lasts.

    A lost connection does not disturb it: the present block continues there, and its answer comes
    when the connection is back. When the machine restarts, the worker has died.

    Args:
        device: The device that the worker runs on.
        timeout_s: The time that any one request may take, in seconds.

    Attributes:
        hello: The versions, providers and process id, as the worker gave them.
    """

    def __init__(self, device: RemoteDevice, *, timeout_s: float = 300.0) -> None:
        self._device = device
        self._session = device.host.session
        self._files = device.host.files
        self._timeout_s = timeout_s
        self._seq = 0
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> "RemoteWorker":
        """Lock the machine for this session, and start the worker.

        Raises:
            DeviceUnavailableError: The machine is lost, or another session measures there.
            ProfilingError: The worker does not start, or has no usable runtime.
        """
        for _ in range(_STARTS):
            try:
                self._start()
                self.hello = self.request("hello")
            except SessionLostError:
                continue
            except (WorkerError, WorkerDied) as error:
                self._stop()
                raise self._does_not_start(error) from error
            except BaseException:
                self._stop()
                raise
            return self
        raise self._does_not_start(f"It restarted {_STARTS} times meanwhile.")

    def __exit__(self, *error: object) -> None:
        """End the worker. It only reads files, so it can be killed at any time."""
        self._stop()

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """Return the worker's answer to one request. A workload is sent there before it is loaded.

        Raises:
            WorkerError: The worker reports an error.
            WorkerDied: The worker crashed or did not answer in time, or its machine restarted.
            DeviceUnavailableError: The connection was lost and did not come back.
        """
        try:
            if op == "load":
                fields["workload"] = self._place(Path(str(fields["workload"])))
            self._seq += 1
            request = {"op": op, "seq": self._seq, **fields}
            line = json.dumps(request)
            answer = self._session.ask("ask_worker", line=line, timeout_s=self._timeout_s)
        except SessionLostError as error:
            if not self.hello:
                raise
            raise self._died(f"during {op!r}: its machine has restarted") from error
        except NoAnswerError as error:
            raise self._died(f"by not answering {op!r} within {self._timeout_s:g} s") from error
        if "died" in answer:
            raise self._died(f"during {op!r}", answer["died"])
        try:
            return read_reply(answer["line"], request, self._place_name())
        except ValueError as error:
            raise self._died(f"during {op!r} ({error})") from error

    def _start(self) -> None:
        self._device.host.lock()
        program = sent_program.worker_program(runtime_of(self._device))
        self._files.place({sent_program.NAME: program})
        environment = self._device.worker_environment()
        self._session.ask("start", worker=sent_program.NAME, environment=environment)

    def _place(self, path: Path) -> str:
        """Send a workload there and return its path."""
        name = f"{hashlib.sha256(str(path).encode()).hexdigest()[:12]}.workload.json"
        try:
            sent = workload_files(path)
            folder = self._files.place({**sent.files, name: sent.document})
        except (OSError, WorkloadError) as error:
            raise WorkerError(f"{path} cannot be sent to {self._place_name()}. {error}") from error
        return f"{folder}/{name}"

    def _died(self, how: str, end: dict[str, Any] | None = None) -> WorkerDied:
        """Make sure that the worker does not run any more, and return the error to raise."""
        end = end or self._stop()
        return worker_died(self._place_name(), how, end.get("status"), end.get("tail"))

    def _stop(self) -> dict[str, Any]:
        """Stop the worker and return how it ended; nothing without a connection.

        Without a connection, the next worker or the end of the session stops it.
        """
        answer = self._session.ask_if_connected("stop") or {}
        return dict(answer.get("died") or {})

    def _does_not_start(self, error: object) -> ProfilingError:
        options = f"--device {self._device.name} --host {self._device.host.label}"
        return does_not_start(self._place_name(), options, error)

    def _place_name(self) -> str:
        return f"{self._device.name!r} at {self._device.host.label}"
