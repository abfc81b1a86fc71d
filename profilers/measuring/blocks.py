"""This module holds blocks: the samples that one process took of one point, and its sensors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import mean, median
from typing import Any

from profilers.measuring.protocol import Protocol
from profilers.workers.local import OpenWorker

_TICK_MS = 10.0  # the kernel counts stolen time and the machine's time in steps of this length

Sensors = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed run of a workload, in milliseconds.

    Attributes:
        wall_ms: The wall time from the first call to the last.
        cpu_ms: The CPU time of the whole process in that time, over all threads.
        call_ms: The wall time of each call, by its name. A repeated call also has the time of one
            of its runs, under NAME_step.
        group: The number of its group in the block. Group g lies between the readings g and
            g + 1 of the sentinel.
    """

    wall_ms: float
    cpu_ms: float
    call_ms: Mapping[str, float]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Samples in groups, with a reading of the sentinel before and after each group.

    Attributes:
        samples: The samples in order, at least one.
        before: The sensor readings just before the first sample.
        after: The sensor readings just after the last sample.
        threads: The number of threads of the runtime.
        busy_threads: The number of threads that worked; None when the kernel does not tell.
        sentinel_ms: The times of each reading's runs of the sentinel. Group g of the samples lies
            between the readings g and g + 1.
        disturbances: The disturbances of the block; empty until it is judged.
        energy_mj: The energy of one run of the workload; None without a meter.
        on_gpu: Whether a GPU runs the workload, and the process waits for it.
    """

    samples: tuple[Sample, ...]
    before: Sensors
    after: Sensors
    threads: int
    busy_threads: int | None = None
    sentinel_ms: tuple[tuple[float, ...], ...] = ()
    disturbances: tuple[str, ...] = ()
    energy_mj: float | None = None
    on_gpu: bool = False

    @property
    def sentinel_pairs_ms(self) -> list[tuple[float, float]]:
        """The sentinel's medians just before and just after each group, in milliseconds."""
        return list(pairwise(median(runs_ms) for runs_ms in self.sentinel_ms))

    @property
    def median_ms(self) -> float:
        """The median wall time of a sample."""
        return median(sample.wall_ms for sample in self.samples)

    @property
    def total_ms(self) -> float:
        """The wall time from the first sensor reading to the last."""
        return self._increase("clock_ms") or sum(sample.wall_ms for sample in self.samples)

    @property
    def mean_cpu_ms(self) -> float:
        """The mean CPU time of a sample over all threads.

        It is a mean because the kernel updates the CPU time of other threads only every few
        milliseconds. A single short sample shows too little or too much of it.
        """
        return mean(sample.cpu_ms for sample in self.samples)

    @property
    def contention(self) -> float:
        """The CPU time that the block wanted over the CPU time that it got; 1 when undisturbed.

        It wanted the time that it got, the time that it waited in the run queue, the time that
        the hypervisor stole and the time that a container's quota held back. A single thread is
        always busy. For it, wall time over CPU time is a second estimate, and the larger one
        counts.

        A process that waits for a GPU may sleep meanwhile, and needs little CPU time. So on a GPU
        the wall time takes the place of the CPU time that it got, and there is no second estimate.
        """
        sampled_ms = max(sum(sample.cpu_ms for sample in self.samples), 1e-6)
        got_ms = self._increase("own_ms") or sampled_ms
        missed_ms = self._increase("wait_ms") + self._stolen_ms + self._increase("quota_ms")
        if self.on_gpu:
            return 1 + missed_ms / max(self.total_ms, 1e-6)
        wall_ms = sum(sample.wall_ms for sample in self.samples) if self.threads == 1 else 0.0
        return max(1 + missed_ms / got_ms, wall_ms / sampled_ms)

    @property
    def _stolen_ms(self) -> float:
        """The time that the hypervisor stole from this process.

        The kernel counts it for all programs together. The share of this process is its share of
        the time that they used.
        """
        stolen_ms = max(0.0, self._increase("steal_ms") - _TICK_MS)
        used_ms = self._increase("machine_ms")
        own_ms = self._increase("own_ms")
        return stolen_ms * min(1.0, own_ms / used_ms) if own_ms and used_ms else stolen_ms

    @property
    def pressure(self) -> float:
        """The share of the time in which at least one task of the machine waited for a core."""
        return self._increase("pressure_ms") / max(self.total_ms, 1e-6)

    @property
    def tells_waiting(self) -> bool:
        """Return whether the kernel said how long this process itself waited for a core."""
        return bool(self._readings("wait_ms"))

    @property
    def others(self) -> float:
        """The share of the usable cores' time that other programs used, from 0 to 1.

        They share caches and memory.
        """
        if len(self._readings("own_ms")) < 2:
            return 0.0
        cores = max(self._readings("machine_cores"), default=1)
        rounding_ms = (1 + cores) * _TICK_MS
        others_ms = self._increase("machine_ms") - self._increase("own_ms") - rounding_ms
        return max(0.0, others_ms) / cores / max(self.total_ms, 1e-6)

    @property
    def cpu_mhz(self) -> float | None:
        """The lower one of the processor's clocks before and after; None when it is unknown."""
        return min(self._readings("cpu_mhz"), default=None)

    @property
    def gpu_mhz(self) -> float | None:
        """The lower one of the GPU's clocks before and after; None on a CPU."""
        return min(self._readings("gpu_mhz"), default=None)

    @property
    def temperature_c(self) -> float | None:
        """The highest temperature of the machine and its GPU; None when it is unknown."""
        machine, gpu = self._readings("temperature_c"), self._readings("gpu_temperature_c")
        return max([*machine, *gpu], default=None)

    @property
    def was_throttled(self) -> bool:
        """Return whether the processor slowed itself down, because of heat or lack of power."""
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
    """The warm-up of a workload.

    Attributes:
        runs: The number of its runs.
        seconds: The time that they took.
        settled: Whether the runs no longer became faster, or one was as fast as in earlier rounds.
        first_ms: The time of the first run.
        run_ms: The median time of the last runs.
    """

    runs: int
    seconds: float
    settled: bool
    first_ms: float
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PointBlock:
    """The measurement of a point in one round.

    Attributes:
        attempts: The attempts in order. Only the least disturbed one counts, but all are recorded.
        warm_up: The warm-up of the point's workload.
        load_ms: The time in which the runtime opened the workload's graphs.
        runtime: The name and version of the runtime.
        pid: The process id of the worker.
        restarted: Whether an earlier worker died at this point.
        tokens_per_expert: The tokens of each expert in an untimed sample, by router; None when
            they were not counted.
        energy_meter: The name of the energy meter; empty without a meter.
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
    def calls(self) -> tuple[str, ...]:
        """The names of the calls that were timed."""
        return tuple(sorted(self.kept.samples[0].call_ms))

    @property
    def seconds(self) -> float:
        """The time that the point took in this round."""
        measuring_ms = sum(block.total_ms for block in self.attempts)
        return self.warm_up.seconds + (self.load_ms + measuring_ms) / 1000

    def record(self) -> dict[str, Any]:
        """Return all attempts with all samples, for the log's sidecar."""
        kept = self.kept
        return {
            "pid": self.pid,
            "load_ms": self.load_ms,
            "warm_up": asdict(self.warm_up),
            "restarted": self.restarted,
            "attempts": [{**asdict(block), "kept": block is kept} for block in self.attempts],
        }


def least_disturbed(attempts: Sequence[Block]) -> Block:
    """Return the block with the fewest disturbances, of these the one with the least contention.

    Of equal blocks the earliest is returned.
    """
    return min(attempts, key=lambda block: (len(block.disturbances), block.contention))


def run_block(
    worker: OpenWorker, workload_id: str, *, sentinel_id: str, samples: int, protocol: Protocol
) -> Block:
    """Take one block of a loaded workload. The block is not judged yet.

    Raises:
        WorkerError: The runtime cannot run the workload.
        WorkerDied: The worker crashes or takes too long.
    """
    reply = worker.request(
        "block",
        id=workload_id,
        samples=samples,
        sentinel=sentinel_id,
        group_ms=protocol.group_ms,
    )
    return Block(
        tuple(Sample(**sample) for sample in reply["samples"]),
        reply["before"],
        reply["after"],
        protocol.threads,
        reply.get("busy_threads"),
        tuple(tuple(runs_ms) for runs_ms in reply["sentinel_ms"]),
        energy_mj=reply.get("energy_mj"),
        on_gpu=bool(worker.hello.get("on_gpu", False)),
    )
