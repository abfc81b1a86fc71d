"""This module makes the measurement of a point from its blocks, and the row of the log."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from devices import DeviceInfo
from profilers.measuring.blocks import Block, PointBlock, Sample
from profilers.measuring.disturbance import DISTURBANCES
from profilers.measuring.drift import SentinelTrack
from profilers.measuring.intervals import (
    SAMPLES_FOR_TAIL,
    Interval,
    center_of,
    median_absolute_deviation,
    median_interval,
    relative_half_width,
    sampling_error_of,
    tail_ms,
)
from profilers.measuring.protocol import Point, Protocol

# Raised by hand when the columns, the graphs of architectures or the timing of a run change, so
# that rows which do not mean the same never mix.
SCHEMA_VERSION = 3
Cell = str | int | float
WORST_QUALITY = "C"
_NARROW, _FAIR = 0.02, 0.05  # relative half-widths of the qualities A and B


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The latency of one point. Every field that ends in `_ms` is in milliseconds.

    Attributes:
        point_id: The point's identity.
        latency_ms: The geometric mean over blocks of the blocks' median wall times. Each sample
            is corrected to the machine's level `sentinel_reference_ms`, see `SentinelTrack`.
        ci_low_ms: The lower end of the 95 % interval of `latency_ms`.
        ci_high_ms: The upper end of the 95 % interval of `latency_ms`.
        raw_latency_ms: The same mean as `latency_ms`, uncorrected.
        cpu_ms: The median over blocks of the blocks' mean CPU time of the process, over all
            threads, uncorrected.
        call_ms: The same mean as `latency_ms` of each call, by its name.
        min_ms: The fastest sample, uncorrected.
        mad_ms: The median absolute deviation of all samples, unscaled and uncorrected.
        tails_ms: The uncorrected percentiles of all samples, by percent; None when the samples
            are too few.
        n_samples: The number of samples in the blocks that count.
        n_blocks: The number of blocks that count.
        n_processes: The number of processes from which they come.
        sentinel: The name of the sentinel.
        sentinel_ms: The median of the sentinel's readings in this point's blocks.
        sentinel_reference_ms: The sentinel's level to which `latency_ms` is corrected.
        sentinel_drift: `sentinel_ms` over `sentinel_reference_ms`. The flag of this name is about
            single blocks.
        wall_over_cpu: The median contention of the blocks, see `Block.contention`.
        cpu_mhz: The lowest clock; None when the kernel does not tell.
        temperature_c: The highest temperature; None when the kernel does not tell.
        load_ms: The median time in which the runtime opened the graphs.
        energy_mj: The median over blocks of the energy of one run, with idle power; None without
            a meter.
        energy_meter: The name of the energy meter. It tells what was measured: a board, a GPU, or
            a processor's packages.
        stop_reason: The reason why no more blocks were taken: `target`, `decided`, `rounds` or
            `time`.
        flags: The flags of the row: `ci_unmet`, `contended`, `throttled`, `slow_clock`,
            `threads`, `unsettled`, `sentinel_drift`, `restarted`.
        quality: The quality of the row: A, B or C, see `quality_of`.
        tokens_per_expert: The tokens that each expert served in one sample, by router; may be
            empty.
        runtime: The name and version of the runtime.
        threads: The number of intra-op threads.
        device: The device.
        measured_at: The time at which the point was finished, UTC in ISO 8601.
        samples: Every block with every attempt and every sample, as JSON values.
        columns: The caller's columns.
        schema_version: The version of the columns, the timed graphs and the timing.
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
        """Return the log's row: identity, results, then the caller's columns.

        Raises:
            ValueError: A caller's column has the name of a column of the log.
        """
        row = self._row()
        clash = sorted(row.keys() & self.columns.keys())
        if clash:
            raise ValueError(f"'columns' must not reuse the log's own names. Got {clash}.")
        return {**row, **self.columns}

    def _row(self) -> dict[str, Cell]:
        by_router = {router: list(tokens) for router, tokens in self.tokens_per_expert.items()}
        return {
            **self._cells("schema_version", "point_id"),
            "device": self.device.name,
            "device_model": self.device.model,
            "device_fingerprint": self.device.fingerprint,
            "power_mode": self.device.power_mode,
            **self._cells("runtime", "threads", "latency_ms", "ci_low_ms", "ci_high_ms"),
            **self._cells("raw_latency_ms", "cpu_ms"),
            **{f"{name}_ms": value for name, value in self.call_ms.items()},
            **self._cells("min_ms", "mad_ms"),
            **{f"p{percent}_ms": _or_blank(value) for percent, value in self.tails_ms.items()},
            **self._cells("sentinel", "sentinel_ms", "sentinel_reference_ms", "sentinel_drift"),
            **self._cells("wall_over_cpu", "cpu_mhz", "temperature_c"),
            **self._cells("n_samples", "n_blocks", "n_processes", "load_ms"),
            **(self._cells("energy_mj", "energy_meter") if self.energy_meter else {}),
            "tokens_per_expert": json.dumps(by_router) if by_router else "",
            **self._cells("stop_reason", "quality"),
            "flags": ";".join(self.flags),
            "measured_at": self.measured_at,
        }

    def _cells(self, *names: str) -> dict[str, Cell]:
        return {name: _or_blank(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class FailedPoint:
    """A point that could not be measured.

    Attributes:
        point_id: The point's identity.
        reason: The reason, as a sentence for the user.
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
) -> Measurement:
    """Return the measurement of a point from its blocks, at least two, one per round.

    `sentinel` is the sentinel's name.
    """
    kept = [block.kept for block in blocks]
    corrected = [_corrections(block, track) for block in blocks]
    interval = _interval(corrected, protocol)
    walls_ms = [sample.wall_ms for block in kept for sample in block.samples]
    flags = _flags(blocks, protocol, interval, track.reference_ms)
    return Measurement(
        point_id=point.point_id,
        latency_ms=interval.center,
        ci_low_ms=interval.low,
        ci_high_ms=interval.high,
        raw_latency_ms=center_of(block.median_ms for block in kept),
        cpu_ms=median(block.mean_cpu_ms for block in kept),
        call_ms=_call_ms(corrected),
        min_ms=min(walls_ms),
        mad_ms=median_absolute_deviation(walls_ms),
        tails_ms={percent: tail_ms(walls_ms, percent) for percent in SAMPLES_FOR_TAIL},
        n_samples=len(walls_ms),
        n_blocks=len(blocks),
        n_processes=len({block.pid for block in blocks}),
        sentinel=sentinel,
        sentinel_ms=_sentinel_ms(kept),
        sentinel_reference_ms=track.reference_ms,
        sentinel_drift=_sentinel_ms(kept) / track.reference_ms,
        wall_over_cpu=median(block.contention for block in kept),
        cpu_mhz=_of_known(min, (block.cpu_mhz for block in kept)),
        temperature_c=_of_known(max, (block.temperature_c for block in kept)),
        load_ms=median(block.load_ms for block in blocks),
        energy_mj=_of_known(median, (block.energy_mj for block in kept)),
        energy_meter=blocks[0].energy_meter,
        stop_reason=stop_reason(blocks, interval, protocol) or "rounds",
        flags=flags,
        quality=quality_of(flags, interval, len(blocks)),
        tokens_per_expert=next((x.tokens_per_expert for x in blocks if x.tokens_per_expert), {}),
        runtime=blocks[0].runtime,
        threads=protocol.threads,
        device=device,
        measured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        samples=tuple(block.record() for block in blocks),
        columns=point.columns,
    )


def interval_of(blocks: Sequence[PointBlock], track: SentinelTrack, protocol: Protocol) -> Interval:
    """Return the 95 % interval of the latency, corrected for the machine's drift."""
    return _interval([_corrections(block, track) for block in blocks], protocol)


def _interval(blocks: Sequence[Sequence[tuple[Sample, float]]], protocol: Protocol) -> Interval:
    blocks_ms = [[sample.wall_ms * factor for sample, factor in block] for block in blocks]
    return median_interval(
        list(map(median, blocks_ms)),
        looks=protocol.looks,
        sampling_error=sampling_error_of(blocks_ms),
    )


def _corrections(block: PointBlock, track: SentinelTrack) -> list[tuple[Sample, float]]:
    """Return the samples that count, each with the factor that corrects its times."""
    factors = track.corrections(block.kept.sentinel_pairs_ms)
    return [(sample, factors[sample.group]) for sample in block.kept.samples]


def stop_reason(blocks: Sequence[PointBlock], interval: Interval, protocol: Protocol) -> str | None:
    """Return why no more blocks are needed, see `Measurement`; None when more are needed."""
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
    """Return whether the interval clearly lies above or below a latency.

    After every block it is asked again. So by chance an interval lies below the latency more
    often than its confidence says. That is why it must lie below by its whole width.
    """
    width = interval.high - interval.low
    return interval.low > latency_ms or interval.high + width <= latency_ms


def quality_of(flags: Sequence[str], interval: Interval, n_blocks: int) -> str:
    """Return how far a measurement can be trusted, as a letter.

    A: no flag, an interval of at most 2 % and at least three blocks. B: an interval of at most
    5 % and no disturbance. C: everything else.
    """
    half_width = relative_half_width(interval)
    disturbed = any(flag in DISTURBANCES for flag in flags)
    if not flags and half_width <= _NARROW and n_blocks >= 3:
        return "A"
    return "B" if not disturbed and half_width <= _FAIR else WORST_QUALITY


def _call_ms(blocks: Sequence[Sequence[tuple[Sample, float]]]) -> dict[str, float]:
    """Return the geometric mean over blocks of each call's corrected median."""
    first, _ = blocks[0][0]
    return {
        name: center_of(
            median(sample.call_ms[name] * factor for sample, factor in of_block)
            for of_block in blocks
        )
        for name in first.call_ms
    }


def _of_known(
    statistic: Callable[[list[float]], float], values: Iterable[float | None]
) -> float | None:
    """Return a statistic of the values that are not None; None when all are."""
    known = [value for value in values if value is not None]
    return statistic(known) if known else None


def _sentinel_ms(blocks: Iterable[Block]) -> float:
    return median(
        reading for block in blocks for pair in block.sentinel_pairs_ms for reading in pair
    )


def _flags(
    blocks: Sequence[PointBlock], protocol: Protocol, interval: Interval, reference_ms: float
) -> tuple[str, ...]:
    raised = {
        "ci_unmet": relative_half_width(interval) > protocol.target_half_width,
        **{name: any(name in block.kept.disturbances for block in blocks) for name in DISTURBANCES},
        "unsettled": any(not block.warm_up.settled for block in blocks),
        "sentinel_drift": any(
            abs(_sentinel_ms([block.kept]) / reference_ms - 1) > protocol.drift_limit
            for block in blocks
        ),
        "restarted": any(block.restarted for block in blocks),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _or_blank(value: Cell | None) -> Cell:
    return "" if value is None else value
