"""What is known about one point once it is measured, and the row that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from devices import DeviceInfo
from profilers.blocks import PointBlock
from profilers.protocol import Point, Protocol
from profilers.statistics import median_absolute_deviation, median_interval, relative_half_width

SCHEMA_VERSION = 1
Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The latency of one point; every field ending in `_ms` is in milliseconds.

    Attributes:
        point_id: The point's identity.
        latency_ms: Median over blocks of the blocks' median wall times.
        ci_low_ms: Lower bound of the 95 % interval.
        ci_high_ms: Upper bound of the 95 % interval.
        cpu_ms: Median over blocks of the blocks' mean process CPU time, over all threads.
        call_ms: As `latency_ms`, by call.
        min_ms: The fastest sample.
        mad_ms: Median absolute deviation of all samples, unscaled.
        n_samples: Samples in the blocks that count.
        n_blocks: Blocks that count.
        n_processes: Processes they come from.
        sentinel_ms: Median of the sentinel around this point's blocks.
        sentinel_drift: That, over the session's first sentinel.
        wall_over_cpu: Median contention of the blocks, see `Block.contention`.
        load_ms: Median time to open the sessions.
        flags: What to mind: `ci_unmet`, `contended`, `sentinel_drift`, `restarted`.
        runtime: Name and version of the runtime.
        threads: Intra-op threads.
        device: The machine.
        measured_at: When it was finished, UTC in ISO 8601.
        samples: Every block with every sample, superseded ones too, as JSON values.
        columns: The caller's columns.
        schema_version: Version of this layout.
    """

    point_id: str
    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    cpu_ms: float
    call_ms: Mapping[str, float]
    min_ms: float
    mad_ms: float
    n_samples: int
    n_blocks: int
    n_processes: int
    sentinel_ms: float
    sentinel_drift: float
    wall_over_cpu: float
    load_ms: float
    flags: tuple[str, ...]
    runtime: str
    threads: int
    device: DeviceInfo
    measured_at: str
    samples: tuple[Mapping[str, Any], ...]
    columns: Mapping[str, Cell]
    schema_version: int = SCHEMA_VERSION

    def row(self) -> dict[str, Cell]:
        """The log's row: identity, results, then the caller's columns.

        Raises:
            ValueError: A caller's column has the name of one of ours.
        """
        row = {**self._identity(), **self._results()}
        clash = sorted(row.keys() & self.columns.keys())
        if clash:
            raise ValueError(f"'columns' must not reuse the log's own names. Got {clash}.")
        return {**row, **self.columns}

    def _identity(self) -> dict[str, Cell]:
        return {
            "schema_version": self.schema_version,
            "point_id": self.point_id,
            "device": self.device.name,
            "device_model": self.device.model,
            "device_fingerprint": self.device.fingerprint,
            "power_mode": self.device.power_mode,
            "runtime": self.runtime,
            "threads": self.threads,
        }

    def _results(self) -> dict[str, Cell]:
        return {
            "latency_ms": self.latency_ms,
            "ci_low_ms": self.ci_low_ms,
            "ci_high_ms": self.ci_high_ms,
            "cpu_ms": self.cpu_ms,
            **{f"{name}_ms": value for name, value in self.call_ms.items()},
            "min_ms": self.min_ms,
            "mad_ms": self.mad_ms,
            "sentinel_ms": self.sentinel_ms,
            "sentinel_drift": self.sentinel_drift,
            "wall_over_cpu": self.wall_over_cpu,
            "n_samples": self.n_samples,
            "n_blocks": self.n_blocks,
            "n_processes": self.n_processes,
            "load_ms": self.load_ms,
            "flags": ";".join(self.flags),
            "measured_at": self.measured_at,
        }


@dataclass(frozen=True, slots=True)
class FailedPoint:
    """A point that could not be measured; the session went on without it.

    Attributes:
        point_id: The point's identity.
        reason: What went wrong, for a person.
        columns: The caller's columns.
    """

    point_id: str
    reason: str
    columns: Mapping[str, Cell]


def measurement_of(
    point: Point,
    blocks: Sequence[PointBlock],
    *,
    protocol: Protocol,
    device: DeviceInfo,
    reference_ms: float,
) -> Measurement:
    """Condense a point's blocks.

    Args:
        point: What was measured.
        blocks: At least two, one per round.
        protocol: The settings they were taken with.
        device: Where.
        reference_ms: The session's first sentinel median.
    """
    interval = median_interval([block.kept.median_ms for block in blocks])
    samples = [sample for block in blocks for sample in block.kept.samples]
    sentinel_ms = median(value for block in blocks for value in block.sentinel_ms)
    drift = sentinel_ms / reference_ms
    return Measurement(
        point_id=point.point_id,
        latency_ms=median(block.kept.median_ms for block in blocks),
        ci_low_ms=interval.low,
        ci_high_ms=interval.high,
        cpu_ms=median(block.kept.mean_cpu_ms for block in blocks),
        call_ms={name: _call_ms(blocks, name) for name in samples[0].call_ms},
        min_ms=min(sample.wall_ms for sample in samples),
        mad_ms=median_absolute_deviation([sample.wall_ms for sample in samples]),
        n_samples=len(samples),
        n_blocks=len(blocks),
        n_processes=len({block.pid for block in blocks}),
        sentinel_ms=sentinel_ms,
        sentinel_drift=drift,
        wall_over_cpu=median(block.kept.contention for block in blocks),
        load_ms=median(block.load_ms for block in blocks),
        flags=_flags(blocks, protocol, relative_half_width(interval), drift),
        runtime=blocks[0].runtime,
        threads=protocol.threads,
        device=device,
        measured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        samples=tuple(block.record() for block in blocks),
        columns=point.columns,
    )


def _call_ms(blocks: Sequence[PointBlock], name: str) -> float:
    return median(median(sample.call_ms[name] for sample in block.kept.samples) for block in blocks)


def _flags(
    blocks: Sequence[PointBlock], protocol: Protocol, half_width: float, drift: float
) -> tuple[str, ...]:
    limit = protocol.contention_limit
    raised = {
        "ci_unmet": half_width > protocol.target_half_width,
        "contended": any(block.kept.contention > limit for block in blocks),
        "sentinel_drift": abs(drift - 1) > protocol.drift_limit,
        "restarted": any(block.restarted for block in blocks),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)
