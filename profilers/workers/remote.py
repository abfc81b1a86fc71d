"""A worker on another machine, spoken to over the session that leads there."""

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from devices.remote.device import RemoteDevice
from devices.remote.session import NoAnswerError, SessionLostError
from devices.runtimes import runtime_of
from profilers.workers import sent_program
from profilers.workers.local import (
    ProfilingError,
    WorkerDied,
    WorkerError,
    died,
    read_reply,
    starts_not,
)
from profilers.workload.fields import WorkloadError
from profilers.workload.files import workload_files

_STARTS = 3  # a machine that restarts at each of them is not to be measured on


class RemoteWorker:
    """A fresh worker on a remote device, for as long as the `with` block lasts.

    A lost connection is no event for it: the block under way goes on there, and its answer comes
    once the connection is back. When the machine has restarted the worker has died.

    Args:
        device: Where it runs.
        timeout_s: How long any one request may take, in seconds.

    Attributes:
        hello: Versions, providers and pid, as the worker gave them.
    """

    def __init__(self, device: RemoteDevice, *, timeout_s: float = 300.0) -> None:
        self._device = device
        self._session = device.host.session
        self._files = device.host.files
        self._timeout_s = timeout_s
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> "RemoteWorker":
        """Lock the machine for this session, and start the worker.

        Raises:
            DeviceUnavailableError: The machine is lost, or another session measures there.
            ProfilingError: The worker does not start, or finds no usable runtime.
        """
        for _ in range(_STARTS):
            try:
                self._start()
                self.hello = self.request("hello")
            except SessionLostError:
                continue
            except (WorkerError, WorkerDied) as error:
                self._stop()
                raise self._starts_not(error) from error
            except BaseException:
                self._stop()
                raise
            return self
        raise self._starts_not(f"It restarted {_STARTS} times meanwhile.")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker; what it holds is read-only, so there is nothing to ask it for."""
        self._stop()

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """The worker's answer to one request; a workload is sent there before it is loaded.

        Raises:
            WorkerError: The worker reports an error.
            WorkerDied: It crashed, did not answer in time, or its machine restarted.
            DeviceUnavailableError: The connection was lost and did not come back.
        """
        try:
            if op == "load":
                fields["workload"] = self._place(Path(str(fields["workload"])))
            line = json.dumps({"op": op, **fields})
            answer = self._session.ask("tell", line=line, timeout_s=self._timeout_s)
        except SessionLostError as error:
            if not self.hello:
                raise
            raise self._died(f"during {op!r}: its machine has restarted") from error
        except NoAnswerError as error:
            raise self._died(f"by not answering {op!r} within {self._timeout_s:g} s") from error
        if "died" in answer:
            raise self._died(f"during {op!r}", answer["died"])
        try:
            return read_reply(answer["line"], op, self._place_name())
        except ValueError as error:
            raise self._died(f"during {op!r} ({error})") from error

    def _start(self) -> None:
        self._device.host.lock()
        program = sent_program.worker_program(runtime_of(self._device))
        self._files.place({sent_program.NAME: program})
        environment = self._device.worker_environment()
        self._session.ask("start", worker=sent_program.NAME, environment=environment)

    def _place(self, path: Path) -> str:
        """Where the workload is there."""
        name = f"{hashlib.sha256(str(path).encode()).hexdigest()[:12]}.workload.json"
        try:
            sent = workload_files(path)
            folder = self._files.place({**sent.files, name: sent.document})
        except (OSError, WorkloadError) as error:
            raise WorkerError(f"{path} cannot be sent to {self._place_name()}. {error}") from error
        return f"{folder}/{name}"

    def _died(self, how: str, end: dict[str, Any] | None = None) -> WorkerDied:
        """The error to raise, once the worker is surely dead."""
        end = end or self._stop()
        return died(self._place_name(), how, end.get("status"), end.get("tail"))

    def _stop(self) -> dict[str, Any]:
        """Its end; without a connection the next worker, or the session's end, replaces it."""
        answer = self._session.ask_if_connected("stop") or {}
        return dict(answer.get("died") or {})

    def _starts_not(self, error: object) -> ProfilingError:
        options = f"--device {self._device.name} --host {self._device.host.label}"
        return starts_not(self._place_name(), options, error)

    def _place_name(self) -> str:
        return f"{self._device.name!r} at {self._device.host.label}"
