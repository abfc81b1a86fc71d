"""Blocks of samples: what one process measured of one point, and how disturbed it was."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import mean, median
from typing import Any

from profilers.measuring.protocol import Protocol
from profilers.workers.local import OpenWorker

_TICK_MS = 10.0  # in which the kernel counts stolen time and that of the whole machine

Sensors = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a workload, in milliseconds.

    Attributes:
        wall_ms: From first call to last.
        cpu_ms: CPU time of the whole process meanwhile, over all threads.
        call_ms: Wall time of each call, by its name; of one run of a repeated call, by NAME_step.
        group: Between which readings of the sentinel it lies, see `Block`.
    """

    wall_ms: float
    cpu_ms: float
    call_ms: Mapping[str, float]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Samples taken in groups, a reading of the sentinel around each, sensors around all.

    Attributes:
        samples: At least one, in order.
        before: Sensor readings just before the first.
        after: Sensor readings just after the last.
        threads: The runtime's threads.
        busy_threads: Threads that really worked; None when the kernel does not say.
        sentinel_ms: The runs of each reading of the sentinel; group g lies between g and g + 1.
        disturbances: What disturbed it, once that is judged.
        energy_mj: Energy per run of the workload; None without a meter.
    """

    samples: tuple[Sample, ...]
    before: Sensors
    after: Sensors
    threads: int
    busy_threads: int | None = None
    sentinel_ms: tuple[tuple[float, ...], ...] = ()
    disturbances: tuple[str, ...] = ()
    energy_mj: float | None = None

    @property
    def sentinel_pairs_ms(self) -> list[tuple[float, float]]:
        """The sentinel's medians just before and just after each group."""
        return list(pairwise(median(runs_ms) for runs_ms in self.sentinel_ms))

    @property
    def median_ms(self) -> float:
        """Median wall time of a sample."""
        return median(sample.wall_ms for sample in self.samples)

    @property
    def total_ms(self) -> float:
        """Wall time from the first sensor reading to the last."""
        return self._increase("clock_ms") or sum(sample.wall_ms for sample in self.samples)

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

        It wanted what it got, what it waited for in the run queue, what the hypervisor stole
        and what a container's quota held back. Several threads are rarely all busy; a single
        one is, so for it wall over CPU time is a second witness, and the worse one counts.
        """
        sampled_ms = max(sum(sample.cpu_ms for sample in self.samples), 1e-6)
        got_ms = self._increase("own_ms") or sampled_ms
        stolen_ms = max(0.0, self._increase("steal_ms") - _TICK_MS)
        missed_ms = self._increase("wait_ms") + stolen_ms + self._increase("quota_ms")
        wall_ms = sum(sample.wall_ms for sample in self.samples) if self.threads == 1 else 0.0
        return max(1 + missed_ms / got_ms, wall_ms / sampled_ms)

    @property
    def pressure(self) -> float:
        """The share of the time in which some task of the machine waited for a core."""
        return self._increase("pressure_ms") / max(self.total_ms, 1e-6)

    @property
    def others(self) -> float:
        """Cores that other programs kept busy meanwhile; they share caches and memory."""
        if len(self._readings("own_ms")) < 2:
            return 0.0
        others_ms = self._increase("machine_ms") - self._increase("own_ms") - 2 * _TICK_MS
        return max(0.0, others_ms) / max(self.total_ms, 1e-6)

    @property
    def cpu_mhz(self) -> float | None:
        """The lower one of the clocks before and after."""
        return min(self._readings("cpu_mhz"), default=None)

    @property
    def gpu_mhz(self) -> float | None:
        """As `cpu_mhz`, of the GPU that ran it; None on a CPU."""
        return min(self._readings("gpu_mhz"), default=None)

    @property
    def temperature_c(self) -> float | None:
        """The highest one before and after, of the machine and its GPU."""
        machine, gpu = self._readings("temperature_c"), self._readings("gpu_temperature_c")
        return max([*machine, *gpu], default=None)

    @property
    def was_throttled(self) -> bool:
        """Whether the processor slowed itself down, from heat or from lack of power."""
        now = (*self._readings("throttled_now"), *self._readings("gpu_throttled"))
        return self._increase("throttle_events") > 0 or any(now)

    def _readings(self, sensor: str) -> list[float]:
        readings = (self.before.get(sensor), self.after.get(sensor))
        return [value for value in readings if value is not None]

    def _increase(self, counter: str) -> float:
        readings = self._readings(counter)
        return max(0.0, readings[1] - readings[0]) if len(readings) == 2 else 0.0


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How a workload was warmed up.

    Attributes:
        runs: How often it ran.
        seconds: How long that took.
        settled: Whether its runs had stopped getting faster.
        first_ms: The first run.
        run_ms: The median of the last ones.
    """

    runs: int
    seconds: float
    settled: bool
    first_ms: float
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PointBlock:
    """What one round measured of a point, and what happened around it.

    Attributes:
        attempts: In order. Only the least disturbed one counts, but all are recorded.
        warm_up: How it was warmed up.
        load_ms: Time to open the workload's sessions.
        runtime: Name and version of the runtime.
        pid: The process that ran it.
        restarted: Whether a worker died on the way.
        tokens_per_expert: By router, counted in an untimed sample; None when not asked for.
        energy_meter: What energy was read from; empty without a meter.
    """

    attempts: tuple[Block, ...]
    warm_up: WarmUp
    load_ms: float
    runtime: str
    pid: int
    restarted: bool = False
    tokens_per_expert: Mapping[str, tuple[int, ...]] | None = None
    energy_meter: str = ""

    @property
    def kept(self) -> Block:
        """The attempt that counts."""
        return least_disturbed(self.attempts)

    @property
    def seconds(self) -> float:
        """The time the point took in this round."""
        measuring_ms = sum(block.total_ms for block in self.attempts)
        return self.warm_up.seconds + (self.load_ms + measuring_ms) / 1000

    def record(self) -> dict[str, Any]:
        """Everything raw, for the log's sidecar."""
        kept = self.kept
        return {
            "pid": self.pid,
            "load_ms": self.load_ms,
            "warm_up": asdict(self.warm_up),
            "restarted": self.restarted,
            "attempts": [{**asdict(block), "kept": block is kept} for block in self.attempts],
        }


def least_disturbed(attempts: Sequence[Block]) -> Block:
    """The block with the fewest disturbances, then the least contention; the earliest of equals."""
    return min(attempts, key=lambda block: (len(block.disturbances), block.contention))


def run_block(
    worker: OpenWorker, workload_id: str, *, sentinel_id: str, samples: int, protocol: Protocol
) -> Block:
    """Take one block of a loaded workload; it is not judged yet.

    Raises:
        WorkerError: The runtime refuses.
        WorkerDied: The worker crashes or takes too long.
    """
    reply = worker.request(
        "block",
        id=workload_id,
        samples=samples,
        sentinel=sentinel_id,
        group_ms=protocol.group_ms,
        burst_ms=protocol.burst_ms,
    )
    return Block(
        tuple(Sample(**sample) for sample in reply["samples"]),
        reply["before"],
        reply["after"],
        protocol.threads,
        reply.get("busy_threads"),
        tuple(tuple(runs_ms) for runs_ms in reply["sentinel_ms"]),
        energy_mj=reply.get("energy_mj"),
    )
