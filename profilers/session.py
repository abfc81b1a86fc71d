"""A measuring session: points in chunks, chunks in rounds, until each point is known well."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from devices import Device, DeviceUnavailableError
from profilers.blocks import PointBlock
from profilers.measurement import FailedPoint, Measurement, measurement_of
from profilers.protocol import Point, Progress, Protocol
from profilers.rounds import Round
from profilers.statistics import median_interval, relative_half_width
from profilers.worker_process import ProfilingError

Outcome = Measurement | FailedPoint
ProgressCallback = Callable[[Progress], None]


def measure_points(
    points: Sequence[Point],
    *,
    device: Device,
    protocol: Protocol,
    sentinel: Path | None = None,
    on_progress: ProgressCallback | None = None,
) -> Iterator[Outcome]:
    """Measure every point; each outcome is yielded as soon as it stands.

    Every round runs in a fresh process, in a new order. A point that cannot be measured is
    yielded as a `FailedPoint`, and the others go on.

    Args:
        points: What to measure; their ids are unique.
        device: Where.
        protocol: How.
        sentinel: A workload measured around every block, to see the machine drift. Without one
            the first point that can be prepared serves, which hides nothing but ties the
            session's reference to it.
        on_progress: Called after every block.

    Raises:
        ValueError: Two points share an id.
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: Raised while iterating, when no worker starts or the sentinel fails.
    """
    ids = [point.point_id for point in points]
    twice = sorted({point_id for point_id in ids if ids.count(point_id) > 1})
    if twice:
        raise ValueError(f"'points' must have unique ids. Got {twice[:3]} more than once.")
    reason = device.unavailable_reason()
    if reason is not None:
        raise DeviceUnavailableError(f"Device {device.name!r} is unavailable: {reason}.")
    return _Session(device, protocol, on_progress).run(points, sentinel)


def measure_one(
    workload: Path, *, device: Device, protocol: Protocol, sentinel: Path | None = None
) -> Measurement:
    """Measure one workload; its file name is the point's id.

    Raises:
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: The workload cannot be measured.
    """
    point = Point(point_id=workload.stem, workload=workload)
    (outcome,) = measure_points([point], device=device, protocol=protocol, sentinel=sentinel)
    if isinstance(outcome, FailedPoint):
        raise ProfilingError(outcome.reason)
    return outcome


class _Session:
    """What a session remembers between rounds."""

    def __init__(
        self, device: Device, protocol: Protocol, on_progress: ProgressCallback | None
    ) -> None:
        self._device = device
        self._info = device.info()
        self._protocol = protocol
        self._on_progress = on_progress
        self._rng = np.random.default_rng(protocol.seed)
        self._reference_ms: float | None = None
        self._paths: dict[str, Path] = {}
        self._done = 0
        self._total = 0

    def run(self, points: Sequence[Point], sentinel: Path | None) -> Iterator[Outcome]:
        self._total = len(points)
        size = self._protocol.chunk_size
        for start in range(0, len(points), size):
            ready = []
            for point in points[start : start + size]:
                failure = self._prepare(point)
                if failure is None:
                    ready.append(point)
                else:
                    yield failure
            if ready:
                sentinel = sentinel or self._paths[ready[0].point_id]
                yield from self._chunk(ready, sentinel)

    def _prepare(self, point: Point) -> FailedPoint | None:
        try:
            self._paths[point.point_id] = point.resolve().resolve()
        except Exception as error:  # the caller's code; one bad point must not end the session
            return self._failed(point, f"Preparing it failed. {type(error).__name__}: {error}", 0)
        return None

    def _chunk(self, points: Sequence[Point], sentinel: Path) -> Iterator[Outcome]:
        blocks: dict[str, list[PointBlock]] = {point.point_id: [] for point in points}
        remaining = list(points)
        for number in range(1, self._protocol.max_rounds + 1):
            order = [remaining[index] for index in self._rng.permutation(len(remaining))]
            for point, result in self._round(number, sentinel).run(order):
                if isinstance(result, str):
                    remaining.remove(point)
                    yield self._failed(point, result, number)
                    continue
                blocks[point.point_id].append(result)
                self._reference_ms = self._reference_ms or result.sentinel_ms[0]
                if self._is_finished(blocks[point.point_id]):
                    remaining.remove(point)
                    yield self._finished(point, blocks.pop(point.point_id), number)
            if not remaining:
                return

    def _round(self, number: int, sentinel: Path) -> Round:
        def notify(point: Point, event: str, median_ms: float | None = None) -> None:
            self._notify(point, number, event, median_ms)

        return Round(
            self._device, self._protocol, sentinel=sentinel, paths=self._paths, notify=notify
        )

    def _is_finished(self, blocks: Sequence[PointBlock]) -> bool:
        if len(blocks) < self._protocol.min_rounds:
            return False
        interval = median_interval([block.kept.median_ms for block in blocks])
        is_narrow = relative_half_width(interval) <= self._protocol.target_half_width
        return is_narrow or len(blocks) == self._protocol.max_rounds

    def _finished(self, point: Point, blocks: Sequence[PointBlock], number: int) -> Measurement:
        assert self._reference_ms is not None  # set by the first block
        measurement = measurement_of(
            point,
            blocks,
            protocol=self._protocol,
            device=self._info,
            reference_ms=self._reference_ms,
        )
        self._done += 1
        self._notify(point, number, "done", measurement.latency_ms)
        return measurement

    def _failed(self, point: Point, reason: str, number: int) -> FailedPoint:
        self._done += 1
        self._notify(point, number, "failed")
        return FailedPoint(point.point_id, reason, point.columns)

    def _notify(
        self, point: Point, number: int, event: str, median_ms: float | None = None
    ) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    done=self._done,
                    total=self._total,
                    point_id=point.point_id,
                    round=number,
                    event=event,
                    median_ms=median_ms,
                )
            )
