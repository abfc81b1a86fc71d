"""Where candidates are measured, and everything known of that on disk."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.latency.profiling import conditions_of, profile_architectures
from automoe.progress import OnProgress
from devices import Device, DeviceInfo, DeviceUnavailableError
from devices.files import append_line, read_lines
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

_NOTE_SECONDS = 10.0  # of measuring that a kill may cost the journal


@dataclass(frozen=True, slots=True)
class Measured:
    """A latency measured on the device, with its 95 % interval.

    Attributes:
        latency_ms: The median.
        ci_low_ms: Lower bound.
        ci_high_ms: Upper bound.
        raw_ms: The median without a correction for the machine's drift.
        flags: What to mind about the measurement.
    """

    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    raw_ms: float
    flags: tuple[str, ...]

    def fits(self, budget_ms: float) -> bool:
        """Whether the whole interval is within a budget, and so is what was seen uncorrected."""
        return max(self.ci_high_ms, self.raw_ms) <= budget_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A device, and what it has said of candidates.

    Beside ``log`` are a second log, of what was measured once more, and a journal of the time
    that all this took and of what could not be measured.

    Attributes:
        opened: Opens the device, for each session anew: between them it is free for others.
        info: Which one that is; what was measured on another one counts for nothing.
        protocol: How precisely.
        workload: The sentence that is timed.
        space: Gives the sentinel.
        log: Keeps every measurement; what it holds is not measured again.
        graphs: Folder for the graphs, removed afterwards.
        runtime: What ``opened`` has it measured with.
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
        """Measure together, interleaved; None for what failed, now or before.

        Raises:
            DeviceUnavailableError: The device cannot be used.
            ProfilingError: Nothing can be measured there.
            LogError: The log holds measurements of another device, of other conditions, or of
                another budget.
        """
        return self._measure(architectures, self.log, self.protocol, on_progress)

    def measure_again(self, architecture: Architecture, on_progress: OnProgress) -> Measured | None:
        """What a second session says, of the same level of the machine as the first.

        It measures until the interval is narrow, whatever it decides.

        Raises:
            As `measure`.
        """
        again = self.log.with_name(f"{self.log.stem}-again.csv")
        levels = {row["sentinel_reference_ms"] for row in (*_rows(self.log), *_rows(again))}
        if len(levels) > 1:
            raise LogError(f"'{again}' is of another search than '{self.log}'. {self._remedy}")
        protocol = replace(self.protocol, decide_ms=None)
        return self._measure([architecture], again, protocol, on_progress)[architecture]

    @property
    def failures(self) -> dict[str, str]:
        """Why architectures could not be measured, by their ids."""
        return self._journal.failures()

    @property
    def seconds(self) -> float:
        """Time spent measuring, in this process and in those that it goes on from."""
        return self._journal.seconds()

    @property
    def _journal(self) -> "_Journal":
        device = f"{self.info.fingerprint} {self.info.power_mode}"
        return _Journal(self.log.with_suffix(".journal.jsonl"), device)

    @property
    def _remedy(self) -> str:
        return f"Choose another output, or delete all files named '{self.log.stem}*'."

    def _measure(
        self,
        architectures: Sequence[Architecture],
        log: Path,
        protocol: Protocol,
        on_progress: OnProgress,
    ) -> dict[Architecture, Measured | None]:
        self._require_same_device(log)
        known = {row["point_id"] for row in _rows(log)} | self._journal.failures(log.name).keys()
        left = [a for a in architectures if a.id not in known]
        if left:
            self._profile(left, log, protocol, on_progress)
        rows = {row["point_id"]: row for row in _rows(log)}
        wanted = {a: rows.get(a.id) for a in architectures}
        return {a: self._measured(row, log) if row else None for a, row in wanted.items()}

    def _require_same_device(self, log: Path) -> None:
        """Nothing may have to be measured, and then nobody else would check."""
        if not log.exists():
            return
        conditions = conditions_of(self.info, self.protocol, str(self.workload))
        try:
            require_conditions(log, conditions)
            LatencyLog(log).require_runtime(self.runtime)
        except LogError as error:
            raise LogError(f"{error} {self._remedy}") from None

    def _require_unchanged(self, now: DeviceInfo) -> None:
        """A search may take days, in which a board can get another kernel or power mode."""
        for name in ("fingerprint", "power_mode"):
            before, after = getattr(self.info, name), getattr(now, name)
            if before != after:
                raise DeviceUnavailableError(
                    f"The device's {name} must be '{before}' as when the search began. "
                    f"Got '{after}'. Set it back, or search again."
                )

    def _profile(
        self,
        architectures: Sequence[Architecture],
        log: Path,
        protocol: Protocol,
        on_progress: OnProgress,
    ) -> None:
        journal = self._journal
        with journal.timed(log.name, on_progress) as progressed, self.opened() as device:
            self._require_unchanged(device.info())
            profile_architectures(
                architectures,
                device=device,
                # All of them interleaved, however many there are.
                protocol=replace(protocol, chunk_size=len(architectures)),
                workload=self.workload,
                log=log,
                space=self.space,
                graphs=self.graphs,
                reference=None if log == self.log else self.log,
                on_progress=progressed,
                on_failed=lambda point: journal.fail(log.name, point),
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
                f"{low_ms:.4g} to {high_ms:.4g} ms. {self._remedy}"
            )
        flags = tuple(flag for flag in row["flags"].split(";") if flag)
        return Measured(latency_ms, low_ms, high_ms, raw_ms, flags)


def _rows(log: Path) -> list[dict[str, str]]:
    return read_log(log) if log.exists() else []


@dataclass(frozen=True, slots=True)
class _Line:
    device: str
    log: str
    seconds: float
    failed: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Journal:
    """Lines with seconds spent, and with points that failed and why, each with device and log.

    Those of another device are as good as not there.
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
        """Write how long the block takes; what is reported to it is when that is written."""
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
            lines = [
                _Line(
                    device=line["device"],
                    log=line["log"],
                    seconds=float(line.get("seconds", 0.0)),
                    failed=str(line.get("failed", "")),
                    reason=str(line.get("reason", "")),
                )
                for line in read_lines(self.path)
            ]
            return [line for line in lines if line.device == self.device]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LogError(
                f"'{self.path}' is damaged ({error}). Delete it; the time on the device is counted "
                "anew then, and what failed is tried again."
            ) from None
