"""Where candidates are measured, and everything known of that on disk."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from automoe.architecture import Architecture
from automoe.json_lines import append_line, read_lines
from automoe.profiling import ProfileSummary, profile_architectures
from automoe.progress import OnProgress
from automoe.space import SearchSpace
from automoe.workload import TranslationWorkload
from devices import Device
from profilers import Interval, LogError, Protocol, is_decided, read_log


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
        protocol: How precisely.
        workload: The sentence that is timed.
        space: Gives the sentinel.
        log: Keeps every measurement; what it holds is not measured again.
        graphs: Folder for the graphs, removed afterwards.
    """

    opened: Callable[[], AbstractContextManager[Device]]
    protocol: Protocol
    workload: TranslationWorkload
    space: SearchSpace
    log: Path
    graphs: Path

    def measure(
        self, architectures: Sequence[Architecture], on_progress: OnProgress
    ) -> dict[Architecture, Measured | None]:
        """Measure together, interleaved; None for what failed, now or before.

        Raises:
            DeviceUnavailableError: The device cannot be used.
            ProfilingError: Nothing can be measured there.
            LogError: The log holds measurements of other conditions, or of another budget.
        """
        return self._measure(architectures, self.log, None, on_progress)

    def measure_again(self, architecture: Architecture, on_progress: OnProgress) -> Measured | None:
        """What a second session says, of the same level of the machine as the first.

        Raises:
            As `measure`.
        """
        again = self.log.with_name(f"{self.log.stem}-again.csv")
        return self._measure([architecture], again, self.log, on_progress)[architecture]

    @property
    def seconds(self) -> float:
        """Time spent measuring, in this process and in those that it goes on from."""
        return self._journal.seconds()

    @property
    def _journal(self) -> "_Journal":
        return _Journal(self.log.with_suffix(".journal.jsonl"))

    def _measure(
        self,
        architectures: Sequence[Architecture],
        log: Path,
        reference: Path | None,
        on_progress: OnProgress,
    ) -> dict[Architecture, Measured | None]:
        failed = self._journal.failed(log.name)
        with self._journal.timed(log.name) as fail:
            summary = self._profiled(
                [a for a in architectures if a.id not in failed], log, reference, on_progress
            )
            fail += [point.point_id for point in summary.failed]
        rows = {row["point_id"]: row for row in read_log(log)} if log.exists() else {}
        wanted = {a: rows.get(a.id) for a in architectures}
        return {a: self._measured(row, log) if row else None for a, row in wanted.items()}

    def _profiled(
        self,
        architectures: Sequence[Architecture],
        log: Path,
        reference: Path | None,
        on_progress: OnProgress,
    ) -> ProfileSummary:
        with self.opened() as device:
            return profile_architectures(
                architectures,
                device=device,
                # All of them interleaved, however many there are.
                protocol=replace(self.protocol, chunk_size=max(1, len(architectures))),
                workload=self.workload,
                log=log,
                space=self.space,
                graphs=self.graphs,
                reference=reference,
                on_progress=on_progress,
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
                f"{low_ms:.4g} to {high_ms:.4g} ms. Choose another output, or delete it."
            )
        flags = tuple(flag for flag in row["flags"].split(";") if flag)
        return Measured(latency_ms, low_ms, high_ms, raw_ms, flags)


@dataclass(frozen=True, slots=True)
class _Journal:
    """A line for each session: its log, its seconds, and the points that failed in it."""

    path: Path

    def seconds(self) -> float:
        return sum(seconds for _, seconds, _ in self._sessions())

    def failed(self, log: str) -> set[str]:
        return {point for of, _, failed in self._sessions() if of == log for point in failed}

    @contextmanager
    def timed(self, log: str) -> Iterator[list[str]]:
        """Write the line when the block ends; what the block puts into the list has failed."""
        start, failed = time.monotonic(), list[str]()
        try:
            yield failed
        finally:
            seconds = time.monotonic() - start
            append_line(self.path, {"log": log, "seconds": seconds, "failed": failed})

    def _sessions(self) -> list[tuple[str, float, list[str]]]:
        try:
            return [
                (line["log"], float(line["seconds"]), list(line["failed"]))
                for line in read_lines(self.path)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(
                f"'{self.path}' is damaged ({error}). Delete it; the time on the device is counted "
                "anew then, and what failed is tried again."
            ) from None
