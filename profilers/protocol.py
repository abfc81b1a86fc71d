"""How a session measures, and what it measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of a session.

    Attributes:
        threads: Intra-op threads of the runtime.
        samples_per_block: Samples taken in a row in one process.
        min_rounds: Blocks per point, each in a fresh process, before the stop rule is asked.
        max_rounds: Blocks per point after which it is given up with the flag `ci_unmet`.
        target_half_width: A point is done when its 95 % interval is this narrow, relative.
        chunk_size: Points interleaved with each other in one process.
        warmup_seconds: Least time a point runs before its block.
        contention_limit: A block is disturbed when time wanted over CPU time got exceeds this.
        drift_limit: A sentinel this far from the session's first one flags the point, relative.
        max_block_retries: How often a disturbed block is repeated before it is kept and flagged.
        seed: Shuffles the order of points.
        timeout_s: Longest time any one request to the worker may take, in seconds.

    Raises:
        ValueError: A setting is out of range.
    """

    threads: int = 1
    samples_per_block: int = 10
    min_rounds: int = 3
    max_rounds: int = 6
    target_half_width: float = 0.02
    chunk_size: int = 8
    warmup_seconds: float = 0.3
    contention_limit: float = 1.2
    drift_limit: float = 0.05
    max_block_retries: int = 3
    seed: int = 0
    timeout_s: float = 300.0

    def __post_init__(self) -> None:
        self._require("threads", self.threads, at_least=1)
        self._require("samples_per_block", self.samples_per_block, at_least=1)
        self._require("min_rounds", self.min_rounds, at_least=2)
        self._require("max_rounds", self.max_rounds, at_least=self.min_rounds)
        self._require("target_half_width", self.target_half_width, at_least=0)
        self._require("chunk_size", self.chunk_size, at_least=1)
        self._require("warmup_seconds", self.warmup_seconds, at_least=0)
        self._require("contention_limit", self.contention_limit, at_least=1)
        self._require("drift_limit", self.drift_limit, at_least=0)
        self._require("max_block_retries", self.max_block_retries, at_least=0)
        self._require("timeout_s", self.timeout_s, at_least=1)

    @classmethod
    def fast(cls, *, threads: int = 1, seed: int = 0) -> "Protocol":
        """A first look: two or three short blocks and a 5 % interval."""
        return cls(
            threads=threads,
            samples_per_block=5,
            min_rounds=2,
            max_rounds=3,
            target_half_width=0.05,
            warmup_seconds=0.1,
            max_block_retries=1,
            seed=seed,
        )

    @staticmethod
    def _require(name: str, value: float, *, at_least: float) -> None:
        if not value >= at_least:
            raise ValueError(f"{name!r} must be at least {at_least}. Got {value}.")


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
