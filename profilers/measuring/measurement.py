"""What is known about one point once it is measured, and the row that says so."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from devices import DeviceInfo
from profilers.measuring.blocks import PointBlock, Sample
from profilers.measuring.disturbance import DISTURBANCES
from profilers.measuring.drift import SentinelTrack
from profilers.measuring.intervals import (
    NO_SPREAD,
    SAMPLES_FOR_TAIL,
    Interval,
    Spread,
    median_absolute_deviation,
    median_interval,
    relative_half_width,
    tail_ms,
)
from profilers.measuring.protocol import Point, Protocol

SCHEMA_VERSION = 2
Cell = str | int | float
_NARROW, _FAIR = 0.02, 0.05  # half-widths of the grades A and B


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The latency of one point; every field ending in `_ms` is in milliseconds.

    Attributes:
        point_id: The point's identity.
        latency_ms: Median over blocks of the blocks' median wall times, each sample corrected
            for the machine's drift, see `SentinelTrack`: the latency at the machine's level of
            `sentinel_reference_ms`.
        ci_low_ms: Lower bound of the 95 % interval of that, at that level.
        ci_high_ms: Upper bound of the 95 % interval of that.
        raw_latency_ms: As `latency_ms`, uncorrected.
        cpu_ms: Median over blocks of the blocks' mean process CPU time, over all threads; raw.
        call_ms: As `latency_ms`, by call.
        min_ms: The fastest sample, raw.
        mad_ms: Median absolute deviation of all samples, unscaled, raw.
        tails_ms: Raw percentiles of all samples by percent, None where they are too few.
        n_samples: Samples in the blocks that count.
        n_blocks: Blocks that count.
        n_processes: Processes they come from.
        sentinel: What the sentinel was.
        sentinel_ms: Median of the sentinel's readings in this point's blocks.
        sentinel_reference_ms: The sentinel's level that `latency_ms` is corrected to.
        sentinel_drift: The one over the other. The flag of this name looks at each block.
        wall_over_cpu: Median contention of the blocks, see `Block.contention`.
        cpu_mhz: Lowest clock seen; None where the kernel does not say.
        temperature_c: Highest temperature seen; None where the kernel does not say.
        load_ms: Median time to open the sessions.
        energy_mj: Median over blocks of the energy of one run; None without a meter. Idle power
            is part of it.
        energy_meter: What that was read from, which says of what it is the energy: of a board,
            a GPU, or a processor's packages.
        stop_reason: Why no more blocks were taken: `target`, `decided`, `rounds` or `time`.
        flags: What to mind: `ci_unmet`, `contended`, `throttled`, `slow_clock`, `threads`,
            `unsettled`, `sentinel_drift`, `restarted`.
        quality: A, B or C, see `grade`.
        tokens_per_expert: Tokens each expert served in one sample, by router; may be empty.
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
    raw_latency_ms: float
    cpu_ms: float
    call_ms: Mapping[str, float]
    min_ms: float
    mad_ms: float
    tails_ms: Mapping[int, float | None]
    n_samples: int
    n_blocks: int
    n_processes: int
    sentinel: str
    sentinel_ms: float
    sentinel_reference_ms: float
    sentinel_drift: float
    wall_over_cpu: float
    cpu_mhz: float | None
    temperature_c: float | None
    load_ms: float
    energy_mj: float | None = None
    energy_meter: str = ""
    stop_reason: str
    flags: tuple[str, ...]
    quality: str
    tokens_per_expert: Mapping[str, tuple[int, ...]]
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
            "raw_latency_ms": self.raw_latency_ms,
            "cpu_ms": self.cpu_ms,
            **{f"{name}_ms": value for name, value in self.call_ms.items()},
            "min_ms": self.min_ms,
            "mad_ms": self.mad_ms,
            **{f"p{percent}_ms": _known(value) for percent, value in self.tails_ms.items()},
            **self._circumstances(),
        }

    def _circumstances(self) -> dict[str, Cell]:
        by_router = {router: list(tokens) for router, tokens in self.tokens_per_expert.items()}
        return {
            "sentinel": self.sentinel,
            "sentinel_ms": self.sentinel_ms,
            "sentinel_reference_ms": self.sentinel_reference_ms,
            "sentinel_drift": self.sentinel_drift,
            "wall_over_cpu": self.wall_over_cpu,
            "cpu_mhz": _known(self.cpu_mhz),
            "temperature_c": _known(self.temperature_c),
            "n_samples": self.n_samples,
            "n_blocks": self.n_blocks,
            "n_processes": self.n_processes,
            "load_ms": self.load_ms,
            **self._energy(),
            "tokens_per_expert": json.dumps(by_router) if by_router else "",
            "stop_reason": self.stop_reason,
            "quality": self.quality,
            "flags": ";".join(self.flags),
            "measured_at": self.measured_at,
        }

    def _energy(self) -> dict[str, Cell]:
        """Nothing without a meter: most machines have none."""
        if not self.energy_meter:
            return {}
        return {"energy_mj": _known(self.energy_mj), "energy_meter": self.energy_meter}


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
    sentinel: str,
    track: SentinelTrack,
    others: Spread = NO_SPREAD,
) -> Measurement:
    """Condense a point's blocks.

    Args:
        point: What was measured.
        blocks: At least two, one per round.
        protocol: The settings they were taken with.
        device: Where.
        sentinel: What the sentinel was.
        track: The sentinel through the session.
        others: The spread of the session's other points.
    """
    corrected_ms = corrected_medians(blocks, track)
    interval = median_interval(corrected_ms, others=others)
    walls_ms = [sample.wall_ms for block in blocks for sample in block.kept.samples]
    flags = _flags(blocks, protocol, interval, track.reference_ms)
    return Measurement(
        point_id=point.point_id,
        latency_ms=median(corrected_ms),
        ci_low_ms=interval.low,
        ci_high_ms=interval.high,
        raw_latency_ms=median(block.kept.median_ms for block in blocks),
        cpu_ms=median(block.kept.mean_cpu_ms for block in blocks),
        call_ms=_call_ms([_corrections(block, track) for block in blocks]),
        min_ms=min(walls_ms),
        mad_ms=median_absolute_deviation(walls_ms),
        tails_ms={percent: tail_ms(walls_ms, percent) for percent in SAMPLES_FOR_TAIL},
        n_samples=len(walls_ms),
        n_blocks=len(blocks),
        n_processes=len({block.pid for block in blocks}),
        sentinel=sentinel,
        sentinel_ms=_sentinel_ms(blocks),
        sentinel_reference_ms=track.reference_ms,
        sentinel_drift=_sentinel_ms(blocks) / track.reference_ms,
        wall_over_cpu=median(block.kept.contention for block in blocks),
        cpu_mhz=min(_told(block.kept.cpu_mhz for block in blocks), default=None),
        temperature_c=max(_told(block.kept.temperature_c for block in blocks), default=None),
        load_ms=median(block.load_ms for block in blocks),
        energy_mj=_median(_told(block.kept.energy_mj for block in blocks)),
        energy_meter=blocks[0].energy_meter,
        stop_reason=stop_reason(blocks, interval, protocol) or "rounds",
        flags=flags,
        quality=grade(flags, interval, len(blocks)),
        tokens_per_expert=next((x.tokens_per_expert for x in blocks if x.tokens_per_expert), {}),
        runtime=blocks[0].runtime,
        threads=protocol.threads,
        device=device,
        measured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        samples=tuple(block.record() for block in blocks),
        columns=point.columns,
    )


def corrected_medians(blocks: Sequence[PointBlock], track: SentinelTrack) -> list[float]:
    """The blocks' medians in milliseconds, without what the machine's drift did to them."""
    return [_corrected_ms(_corrections(block, track)) for block in blocks]


def _corrected_ms(samples: Sequence[tuple[Sample, float]]) -> float:
    return median(sample.wall_ms * factor for sample, factor in samples)


def _corrections(block: PointBlock, track: SentinelTrack) -> list[tuple[Sample, float]]:
    """The samples that count, each with what to multiply its times by."""
    factors = track.corrections(block.kept.sentinel_pairs_ms)
    return [(sample, factors[sample.group]) for sample in block.kept.samples]


def stop_reason(blocks: Sequence[PointBlock], interval: Interval, protocol: Protocol) -> str | None:
    """Why no more blocks are needed, see `Measurement`; None when they are."""
    if len(blocks) >= protocol.min_rounds:
        if relative_half_width(interval) <= protocol.target_half_width:
            return "target"
        if protocol.decide_ms is not None and is_decided(interval, protocol.decide_ms):
            return "decided"
        if len(blocks) >= protocol.max_rounds:
            return "rounds"
    is_late = sum(block.seconds for block in blocks) >= protocol.max_point_seconds
    return "time" if is_late else None


def is_decided(interval: Interval, latency_ms: float) -> bool:
    """Whether more blocks would not change on which side of a latency the interval lies.

    Asked again and again, an interval ends up on the good side by chance more often than it
    says; hence the width that it has to keep away.
    """
    width = interval.high - interval.low
    return interval.low > latency_ms or interval.high + width <= latency_ms


def grade(flags: Sequence[str], interval: Interval, n_blocks: int) -> str:
    """How far a measurement can be trusted.

    A: no flag, an interval of 2 % or less and at least three blocks. B: 5 % or less, and nothing
    disturbed its blocks. C: everything else.
    """
    half_width = relative_half_width(interval)
    disturbed = any(flag in DISTURBANCES for flag in flags)
    if not flags and half_width <= _NARROW and n_blocks >= 3:
        return "A"
    return "B" if not disturbed and half_width <= _FAIR else "C"


def _call_ms(blocks: Sequence[Sequence[tuple[Sample, float]]]) -> dict[str, float]:
    """Median over blocks of each call's corrected median."""
    first, _ = blocks[0][0]
    return {
        name: median(
            median(sample.call_ms[name] * factor for sample, factor in of_block)
            for of_block in blocks
        )
        for name in first.call_ms
    }


def _told(values: Iterable[float | None]) -> list[float]:
    """The values of the blocks in which there was something to read."""
    return [value for value in values if value is not None]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _sentinel_ms(blocks: Sequence[PointBlock]) -> float:
    return median(
        reading for block in blocks for pair in block.kept.sentinel_pairs_ms for reading in pair
    )


def _flags(
    blocks: Sequence[PointBlock], protocol: Protocol, interval: Interval, reference_ms: float
) -> tuple[str, ...]:
    raised = {
        "ci_unmet": relative_half_width(interval) > protocol.target_half_width,
        **{name: any(name in block.kept.disturbances for block in blocks) for name in DISTURBANCES},
        "unsettled": any(not block.warm_up.settled for block in blocks),
        "sentinel_drift": any(
            abs(_sentinel_ms([block]) / reference_ms - 1) > protocol.drift_limit for block in blocks
        ),
        "restarted": any(block.restarted for block in blocks),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _known(value: float | None) -> Cell:
    return "" if value is None else value
