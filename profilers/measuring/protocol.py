"""This module holds the settings of a session, its points and its sentinel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from pathlib import Path

_MIN_SAMPLES = 3
_MOST_SAMPLES = 100
_TURNS = 4  # that short samples fill in a block, unless there are too many of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of a session.

    Attributes:
        threads: The number of intra-op threads of the runtime.
        samples_per_block: The number of samples in a block. A block of short samples has more.
        block_seconds: The time for which slow samples are taken in a block, at least 3 of them. The
            runs of the sentinel take further time.
        group_ms: The time after which samples and runs of the sentinel take turns within a block.
            Each turn has at least one run, so that slow samples alternate with the sentinel one by
            one.
        min_rounds: The number of blocks per point, each in a fresh process, before a point may be
            finished.
        max_rounds: The number of blocks after which a point is finished in any case. When its
            interval is too wide, it has the flag `ci_unmet`.
        max_point_seconds: The measuring time after which a point is finished in any case.
        target_half_width: The relative half-width of the 95 % interval at which a point is
            finished.
        decide_ms: A latency to decide against, or None. A point is also finished when its interval
            lies above this latency, or below it by more than the interval's width.
        chunk_size: The number of points that are interleaved with each other in one process.
        warmup_seconds: The least time for which a point runs before its block.
        max_warmup_seconds: The longest time for which it runs before its block, settled or not.
        warmup_tolerance: The relative change below which a warm-up has settled: its runs become
            faster by no more than this, or one is slower than in earlier rounds by no more.
        contention_limit: The limit of the CPU time that a block wanted over the time that it got.
            A block above it is disturbed. Less 1, it is also the limit of the share of the usable
            cores that other programs keep busy, and of CPU pressure.
        clock_limit: The share of the session's usual clock below which a block is disturbed.
        drift_limit: The relative distance of the sentinel from its reference, in any block, above
            which the point is flagged.
        max_block_retries: The number of times that a disturbed block is repeated before it is kept
            and flagged.
        cooldown_seconds: The pause before a throttled block is repeated.
        seed: The seed of the order of points.
        timeout_s: The longest time that a request to the worker may take, in seconds.

    Raises:
        ValueError: A setting is out of range.
    """

    threads: int = 1
    samples_per_block: int = 10
    block_seconds: float = 3.0
    group_ms: float = 50.0
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
        """Return settings for a first look: two or three short blocks and a 5 % interval."""
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
        """Return settings for a verification: a 1 % interval from up to ten processes.

        A point is also finished when its interval lies on one side of the budget.
        """
        return cls(
            threads=threads, target_half_width=0.01, decide_ms=budget_ms, max_rounds=10, seed=seed
        )

    @property
    def looks(self) -> int:
        """The number of times at most that a point's interval may end its measuring."""
        return self.max_rounds - self.min_rounds + 1

    def samples_of(self, run_ms: float) -> int:
        """Return the number of samples of a block when one sample takes `run_ms`."""
        run_ms = max(run_ms, 1e-6)
        in_time = ceil(self.block_seconds * 1000 / run_ms)
        in_turns = int(_TURNS * self.group_ms / run_ms)
        most = max(self.samples_per_block, min(_MOST_SAMPLES, in_turns))
        return min(most, max(_MIN_SAMPLES, in_time))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to measure.

    Attributes:
        point_id: Its identity in the log. A point that is in the log is not measured again.
        workload: Its workload file, when that exists already.
        prepare: A function that writes the workload file and returns its path, when `workload` is
            not given. It is called once, just before the file is needed.
        columns: Further columns of its row, e.g. the architecture and its features.

    Raises:
        ValueError: Both or neither of `workload` and `prepare` are given.
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
        """Return the path of the workload file, which is written if it does not exist."""
        if self.prepare is not None:
            return self.prepare()
        assert self.workload is not None  # __post_init__ checked it
        return self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """A workload that takes turns with the samples of every block, to show the machine's drift.

    Attributes:
        name: Its name. Rows of two logs can be compared when their sentinel is the same.
        workload: Its workload file. Without one, the first point that can be prepared is used.
        reference_ms: The level to correct to, from an earlier session.

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
    """One event of a session.

    Attributes:
        done: The number of points that are finished or failed.
        total: The number of points of the session.
        point_id: The point of the event.
        round: The number of the round, from 1.
        event: The kind of event: "block", "retry", "restart", "done" or "failed".
        median_ms: The block's or the point's median latency; None when there is none.
        rounds: The most rounds of a point.
        min_rounds: The least rounds of a point.
        half_width: Half the width of the point's interval so far, as a share; None before two
            blocks are finished.
        target: The half-width at which the point is finished, as a share.
        stop_reason: The reason why a point is finished, see `Measurement`; empty before.
    """

    done: int
    total: int
    point_id: str
    round: int
    event: str
    median_ms: float | None = None
    rounds: int = 0
    min_rounds: int = 0
    half_width: float | None = None
    target: float = 0.0
    stop_reason: str = ""
