"""How a session measures, and what it measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from pathlib import Path

_MIN_SAMPLES = 3
_MOST_SAMPLES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of a session.

    Attributes:
        threads: Intra-op threads of the runtime.
        samples_per_block: Samples taken in one process; more of them when they are short.
        block_seconds: A block of slow samples ends after this time, but has at least 3 of them.
        group_ms: Time between two readings of the sentinel within a block.
        burst_ms: Time that one reading of the sentinel takes, or one run of it.
        min_rounds: Blocks per point, each in a fresh process, before the stop rule is asked.
        max_rounds: Blocks per point after which it is given up with the flag `ci_unmet`.
        max_point_seconds: Measuring time per point after which it is given up likewise.
        target_half_width: A point is done when its 95 % interval is this narrow, relative.
        decide_ms: A latency to decide against: a point is done as well when its interval lies
            above it, or below it by more than its own width. None for no such latency.
        chunk_size: Points interleaved with each other in one process.
        warmup_seconds: Least time a point runs before its block.
        max_warmup_seconds: Longest time it runs before its block, settled or not.
        warmup_tolerance: It has settled when it gets faster by no more than this, relative.
        contention_limit: A block is disturbed when time wanted over CPU time got exceeds this;
            less 1, it is also the limit of cores that others keep busy, and of CPU pressure.
        clock_limit: A block is disturbed below this share of the session's usual clock.
        drift_limit: A block in which the sentinel is this far from its reference flags the
            point, relative.
        max_block_retries: How often a disturbed block is repeated before it is kept and flagged.
        cooldown_seconds: Pause before a throttled block is repeated.
        seed: Shuffles the order of points.
        timeout_s: Longest time any one request to the worker may take, in seconds.

    Raises:
        ValueError: A setting is out of range.
    """

    threads: int = 1
    samples_per_block: int = 10
    block_seconds: float = 2.0
    group_ms: float = 200.0
    burst_ms: float = 20.0
    min_rounds: int = 3
    max_rounds: int = 6
    max_point_seconds: float = 120.0
    target_half_width: float = 0.02
    decide_ms: float | None = None
    chunk_size: int = 8
    warmup_seconds: float = 0.3
    max_warmup_seconds: float = 20.0
    warmup_tolerance: float = 0.05
    contention_limit: float = 1.2
    clock_limit: float = 0.9
    drift_limit: float = 0.05
    max_block_retries: int = 3
    cooldown_seconds: float = 5.0
    seed: int = 0
    timeout_s: float = 300.0

    def __post_init__(self) -> None:
        least = {
            "threads": 1,
            "samples_per_block": 1,
            "min_rounds": 2,
            "max_rounds": self.min_rounds,
            "chunk_size": 1,
            "contention_limit": 1,
            "timeout_s": 1,
        }
        for name in self.__dataclass_fields__:
            value, at_least = getattr(self, name), least.get(name, 0)
            if value is not None and not (at_least <= value < inf):
                raise ValueError(f"{name!r} must be at least {at_least} and finite. Got {value}.")

    @classmethod
    def fast(cls, *, threads: int = 1, seed: int = 0) -> "Protocol":
        """A first look: two or three short blocks and a 5 % interval."""
        return cls(
            threads=threads,
            samples_per_block=5,
            block_seconds=1.0,
            min_rounds=2,
            max_rounds=3,
            target_half_width=0.05,
            warmup_seconds=0.1,
            max_block_retries=1,
            seed=seed,
        )

    @classmethod
    def verification(
        cls, *, budget_ms: float | None = None, threads: int = 1, seed: int = 0
    ) -> "Protocol":
        """For a verdict: a 1 % interval from up to ten processes, or one decided earlier."""
        return cls(
            threads=threads,
            target_half_width=0.01,
            decide_ms=budget_ms,
            max_rounds=10,
            seed=seed,
        )

    def samples_of(self, run_ms: float) -> int:
        """How many samples a block has when one of them takes `run_ms`."""
        run_ms = max(run_ms, 1e-6)
        in_time = ceil(self.block_seconds * 1000 / run_ms)
        # A group of short samples is filled: a block is not to be over in a millisecond.
        most = max(self.samples_per_block, min(_MOST_SAMPLES, int(self.group_ms / run_ms)))
        return min(most, max(_MIN_SAMPLES, in_time))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to measure.

    Attributes:
        point_id: Its identity in the log; a point found there is not measured again.
        workload: Its workload file, when that exists already.
        prepare: Else what writes it and gives its path; called once, just before it is needed.
        columns: What else its log row shall hold, e.g. the architecture and its features.

    Raises:
        ValueError: Not exactly one of `workload` and `prepare` is given.
    """

    point_id: str
    workload: Path | None = None
    prepare: Callable[[], Path] | None = None
    columns: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.workload is None) == (self.prepare is None):
            raise ValueError(
                f"Point {self.point_id!r} needs either 'workload' or 'prepare', not both."
            )

    def resolve(self) -> Path:
        """The path of the workload file, prepared if need be."""
        if self.prepare is not None:
            return self.prepare()
        assert self.workload is not None  # __post_init__ saw to it
        return self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """A workload measured before, within and after every block, to see the machine drift.

    Attributes:
        name: What it is; rows can be compared across logs when their sentinel is the same.
        workload: Its workload file. Without one, the first point that can be prepared serves.
        reference_ms: Its level in an earlier session that this one goes on with.

    Raises:
        ValueError: `reference_ms` is not positive.
    """

    name: str = ""
    workload: Path | None = None
    reference_ms: float | None = None

    def __post_init__(self) -> None:
        if self.reference_ms is not None and not self.reference_ms > 0:
            raise ValueError(f"'reference_ms' must be positive. Got {self.reference_ms}.")


NO_SENTINEL = Sentinel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a session has just done.

    Attributes:
        done: Points finished or failed.
        total: Points of the session.
        point_id: The point it was about.
        round: The round under way, from 1.
        event: "block", "retry", "restart", "done" or "failed".
        median_ms: The block's or the point's median latency; None without one.
    """

    done: int
    total: int
    point_id: str
    round: int
    event: str
    median_ms: float | None = None
