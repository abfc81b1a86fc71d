"""Blocks of samples: what one process measured of one point, and how disturbed it was."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

from profilers.worker_process import WorkerProcess

Sensors = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a workload, in milliseconds.

    Attributes:
        wall_ms: From first call to last.
        cpu_ms: CPU time of the whole process meanwhile, over all threads.
        call_ms: Wall time of each call, by its name.
    """

    wall_ms: float
    cpu_ms: float
    call_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Block:
    """Samples taken in a row, with the sensors around them.

    Attributes:
        samples: At least one, in order.
        before: Sensor readings just before the first.
        after: Sensor readings just after the last.
        threads: The runtime's threads.
    """

    samples: tuple[Sample, ...]
    before: Sensors
    after: Sensors
    threads: int

    @property
    def median_ms(self) -> float:
        """Median wall time of a sample."""
        return median(sample.wall_ms for sample in self.samples)

    @property
    def mean_cpu_ms(self) -> float:
        """Mean CPU time of a sample over all threads.

        A mean, because the kernel brings the clocks of other threads up to date only every few
        milliseconds: a single short sample sees none or too much of theirs.
        """
        return mean(sample.cpu_ms for sample in self.samples)

    @property
    def contention(self) -> float:
        """CPU time this block wanted over the CPU time it got; 1 when undisturbed.

        With one thread that is wall over CPU time. Several threads are rarely all busy, so there
        it counts the time they stood in the run queue, and time stolen by the hypervisor.
        """
        cpu_ms = max(sum(sample.cpu_ms for sample in self.samples), 1e-6)
        if self.threads == 1:
            return sum(sample.wall_ms for sample in self.samples) / cpu_ms
        return (cpu_ms + self._increase("wait_ms") + self._increase("steal_ms")) / cpu_ms

    def _increase(self, sensor: str) -> float:
        before, after = self.before.get(sensor), self.after.get(sensor)
        return 0.0 if before is None or after is None else max(0.0, after - before)


@dataclass(frozen=True, slots=True)
class PointBlock:
    """What one round measured of a point, and what happened around it.

    Attributes:
        attempts: In order. Only the least disturbed one counts, but all are recorded.
        load_ms: Time to open the workload's sessions.
        sentinel_ms: The sentinel's median just before and just after.
        runtime: Name and version of the runtime.
        pid: The process that ran it.
        restarted: Whether a worker died on the way.
    """

    attempts: tuple[Block, ...]
    load_ms: float
    sentinel_ms: tuple[float, float]
    runtime: str
    pid: int
    restarted: bool = False

    @property
    def kept(self) -> Block:
        """The attempt that counts."""
        return least_contended(self.attempts)

    def record(self) -> dict[str, Any]:
        """Everything raw, for the log's sidecar."""
        kept = self.kept
        return {
            "pid": self.pid,
            "load_ms": self.load_ms,
            "sentinel_ms": list(self.sentinel_ms),
            "restarted": self.restarted,
            "attempts": [{**asdict(block), "kept": block is kept} for block in self.attempts],
        }


def least_contended(attempts: Sequence[Block]) -> Block:
    """The least disturbed block, the earliest one of equals."""
    return min(attempts, key=lambda block: block.contention)


def run_block(worker: WorkerProcess, workload_id: str, *, samples: int, threads: int) -> Block:
    """Take one block of a loaded workload.

    Raises:
        WorkerError: The runtime refuses.
        WorkerDied: The worker crashes or takes too long.
    """
    reply = worker.request("block", id=workload_id, samples=samples)
    taken = tuple(Sample(**sample) for sample in reply["samples"])
    return Block(taken, reply["before"], reply["after"], threads)
