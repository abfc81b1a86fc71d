"""Measure candidates on the device, and keep every measurement and failure on disk."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.field_errors import explain
from automoe.latency.architecture_profiling import conditions_of, profile_architectures
from automoe.progress import OnProgress
from devices import Device, DeviceInfo, DeviceUnavailableError
from devices.files import append_line, read_lines
from devices.rounding import rounded_down, rounded_up
from devices.runtimes import ONNXRUNTIME
from profilers import (
    FailedPoint,
    Interval,
    LatencyLog,
    LogError,
    Protocol,
    is_decided,
    read_log,
    require_conditions,
)

_NOTE_SECONDS = 10.0  # seconds of measuring that the journal may lose when it is killed


@dataclass(frozen=True, slots=True)
class Measured:
    """A latency measured on the device, with its 95 % interval.

    Attributes:
        latency_ms: The median.
        ci_low_ms: The lower end of the interval.
        ci_high_ms: The upper end of the interval.
        raw_ms: The median that is not corrected for drift.
        flags: The flags of the row in the log.
    """

    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    raw_ms: float
    flags: tuple[str, ...]

    def fits(self, budget_ms: float) -> bool:
        """Return whether the whole interval and the uncorrected median are within a budget."""
        return max(self.ci_high_ms, self.raw_ms) <= budget_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A device with the measurements of candidates.

    Beside ``log`` are a second log, with the candidates that were measured again, and a journal
    of the time on the device and of the candidates that could not be measured.

    Attributes:
        opened: A function that opens the device, once for each session. Between two sessions
            others may use the device.
        info: The description of the device. Measurements of another device do not count.
        protocol: The protocol of a session.
        workload: The sentence that is timed.
        space: The search space, which gives the sentinel.
        log: The file of the measurements. A candidate in it is not measured again.
        graphs: The folder for graphs, removed afterwards.
        runtime: The runtime of the device that ``opened`` opens.
        also: Architectures to measure beside the first candidates, such as a baseline.
    """

    opened: Callable[[], AbstractContextManager[Device]]
    info: DeviceInfo
    protocol: Protocol
    workload: TranslationWorkload
    space: SearchSpace
    log: Path
    graphs: Path
    runtime: str = ONNXRUNTIME
    also: tuple[Architecture, ...] = ()

    def measure(
        self, architectures: Sequence[Architecture], on_progress: OnProgress
    ) -> dict[Architecture, Measured | None]:
        """Measure architectures together, interleaved; None stands for one that failed.

        An architecture that failed in an earlier process is not tried again.

        Raises:
            DeviceUnavailableError: The device cannot be used.
            ProfilingError: Nothing can be measured there.
            LogError: The log holds measurements of another device, of other conditions, or of
                another budget.
        """
        return self._measure(architectures, self.log, self.protocol, on_progress)

    def measure_again(self, architecture: Architecture, on_progress: OnProgress) -> Measured | None:
        """Measure an architecture in a second session, corrected to the level of the first one.

        The session measures until the interval is narrow, even when the budget is decided before.
        It has another seed: the noise of a simulated device follows from it.

        Raises:
            As `measure`.
        """
        again = self.log.with_name(f"{self.log.stem}-again.csv")
        levels = {row["sentinel_reference_ms"] for row in (*_rows(self.log), *_rows(again))}
        if len(levels) > 1:
            raise LogError(
                f"'{again}' and '{self.log}' belong to different searches. {self._remedy}"
            )
        protocol = replace(self.protocol, decide_ms=None, seed=self.protocol.seed + 1)
        return self._measure([architecture], again, protocol, on_progress)[architecture]

    @property
    def failures(self) -> dict[str, str]:
        """The reasons why architectures could not be measured, by their ids."""
        return self._journal.failures()

    @property
    def seconds(self) -> float:
        """The time spent on measuring, by this process and by those before it."""
        return self._journal.seconds()

    @property
    def _journal(self) -> "_Journal":
        device = f"{self.info.fingerprint} {self.info.power_mode}"
        return _Journal(self.log.with_suffix(".journal.jsonl"), device)

    @property
    def _remedy(self) -> str:
        return f"Choose another output, or measure again: {self.deletion}"

    @property
    def deletion(self) -> str:
        """The command that deletes the measurements, so that they are made again."""
        return deletion_of(self.log)

    def _measure(
        self,
        architectures: Sequence[Architecture],
        log: Path,
        protocol: Protocol,
        on_progress: OnProgress,
    ) -> dict[Architecture, Measured | None]:
        self._require_same_device(log)
        journal = self._journal
        known = {row["point_id"] for row in _rows(log)} | journal.failures(log.name).keys()
        left = [a for a in architectures if a.id not in known]
        if left:
            # Waiting for another session that measures there takes no time of the device.
            with self.opened() as device, journal.timed(log.name, on_progress) as progressed:
                self._require_unchanged(device.info())
                profile_architectures(
                    left,
                    device=device,
                    # One group, so that all of them are interleaved.
                    protocol=replace(protocol, chunk_size=len(left)),
                    workload=self.workload,
                    log=log,
                    space=self.space,
                    graphs=self.graphs,
                    reference=None if log == self.log else self.log,
                    on_progress=progressed,
                    on_failed=lambda point: journal.fail(log.name, point),
                )
        rows = {row["point_id"]: row for row in _rows(log)}
        wanted = {a: rows.get(a.id) for a in architectures}
        return {a: self._measured(row, log) if row else None for a, row in wanted.items()}

    def _require_same_device(self, log: Path) -> None:
        """Check that a log is of this device, these conditions and this runtime.

        When the log holds every candidate, no session opens that would check it.
        """
        if not log.exists():
            return
        conditions = conditions_of(self.info, self.protocol, str(self.workload))
        try:
            require_conditions(log, conditions)
            LatencyLog(log).require_runtime(self.runtime)
        except LogError as error:
            raise LogError(f"{error} {self._remedy}") from None

    def _require_unchanged(self, now: DeviceInfo) -> None:
        """Refuse a device that changed during the search, such as in its kernel or power mode."""
        for name in ("fingerprint", "power_mode"):
            before, after = getattr(self.info, name), getattr(now, name)
            if before != after:
                raise DeviceUnavailableError(
                    f"The device's {name} must be '{before}' as when the search began. "
                    f"Got '{after}'. Set it back, or search again."
                )

    def _measured(self, row: dict[str, str], log: Path) -> Measured:
        names = ("latency_ms", "ci_low_ms", "ci_high_ms", "raw_latency_ms")
        latency_ms, low_ms, high_ms, raw_ms = (float(row[name]) for name in names)
        budget_ms = self.protocol.decide_ms
        is_cut_short = row["stop_reason"] == "decided"
        if is_cut_short and not (
            budget_ms and is_decided(Interval(low_ms, high_ms, latency_ms), budget_ms)
        ):
            raise LogError(
                f"'{log}' was measured for another budget, which decided {row['point_id']} at "
                f"{rounded_down(low_ms)} to {rounded_up(high_ms)} ms. {self._remedy}"
            )
        flags = tuple(flag for flag in row["flags"].split(";") if flag)
        return Measured(latency_ms, low_ms, high_ms, raw_ms, flags)


def deletion_of(log: Path) -> str:
    """Return the command that deletes a log of candidates and the files beside it."""
    return f"rm {shlex.quote(str(log.with_suffix('')))}*"


def _rows(log: Path) -> list[dict[str, str]]:
    return read_log(log) if log.exists() else []


class _Line(BaseModel):
    device: str
    log: str
    seconds: float = 0.0
    failed: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Journal:
    """The file of the seconds spent, and of the points that failed with their reasons.

    Each line names its device and its log. Lines of another device do not count.
    """

    path: Path
    device: str

    def seconds(self) -> float:
        return sum(line.seconds for line in self._lines())

    def failures(self, log: str | None = None) -> dict[str, str]:
        return {x.failed: x.reason for x in self._lines() if x.failed and log in (None, x.log)}

    def fail(self, log: str, point: FailedPoint) -> None:
        reason = " ".join(point.reason.split())
        self._append(log, {"failed": point.point_id, "reason": reason})

    @contextmanager
    def timed(self, log: str, on_progress: OnProgress) -> Iterator[OnProgress]:
        """Write how long the `with` block takes, at the end and as it reports progress."""
        since = time.monotonic()

        def write() -> None:
            nonlocal since
            now = time.monotonic()
            self._append(log, {"seconds": now - since})
            since = now

        def progressed(done: int, total: int, note: str = "") -> None:
            on_progress(done, total, note)
            if time.monotonic() - since >= _NOTE_SECONDS:
                write()

        try:
            yield progressed
        finally:
            write()

    def _append(self, log: str, content: Mapping[str, object]) -> None:
        append_line(self.path, {"device": self.device, "log": log, **content})

    def _lines(self) -> list[_Line]:
        try:
            lines = map(_Line.model_validate, read_lines(self.path))
            return [line for line in lines if line.device == self.device]
        except ValidationError as error:
            raise LogError(
                f"'{self.path}' is damaged ({explain(error)}) Delete it. Then the time on the "
                "device is counted from zero, and the points that failed are tried again."
            ) from None
