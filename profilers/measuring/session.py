"""This module runs a session: points in chunks and chunks in rounds, until all are finished."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random

from devices import Device, DeviceUnavailableError, LocalDevice
from devices.remote.device import RemoteDevice
from devices.runtimes import ONNXRUNTIME, runtime_of
from profilers.measuring.blocks import PointBlock
from profilers.measuring.disturbance import Referee
from profilers.measuring.drift import SentinelTrack
from profilers.measuring.intervals import relative_half_width
from profilers.measuring.measurement import (
    FailedPoint,
    Measurement,
    interval_of,
    measurement_of,
    stop_reason,
)
from profilers.measuring.protocol import NO_SENTINEL, Point, Progress, Protocol, Sentinel
from profilers.measuring.rounds import Round
from profilers.workers.local import OpensWorker, ProfilingError, SentinelError, WorkerProcess
from profilers.workers.remote import RemoteWorker

_BUILD_SECONDS = 1800.0  # a small board tries many kernels while it builds an engine
Outcome = Measurement | FailedPoint
ProgressCallback = Callable[[Progress], None]


def measure_points(
    points: Sequence[Point],
    *,
    device: Device,
    protocol: Protocol,
    sentinel: Sentinel = NO_SENTINEL,
    on_progress: ProgressCallback | None = None,
    open_worker: OpensWorker | None = None,
    places: Sequence[int] | None = None,
) -> Generator[Outcome]:
    """Measure every point. Each outcome is yielded as soon as it is final.

    Every round runs in a fresh process and in a new order. A point that cannot be measured is
    yielded as a `FailedPoint`, and the other points are still measured.

    Args:
        points: The points to measure. Their ids are unique.
        device: The device that runs them.
        protocol: The settings of the session.
        sentinel: The workload that shows the machine's drift.
        on_progress: A function that is called after every block.
        open_worker: A function that starts a fresh worker. By default the worker is started on
            `device`.
        places: The place of each point among those of the whole log, when the others are measured
            already. The points are in the chunks in which they are without an interruption.

    Raises:
        ValueError: Two points share an id, or there are more threads than cores.
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: Raised while iterating, when no worker starts or the sentinel fails.
    """
    require_unique_ids(points)
    session = Session(device, protocol, open_worker=open_worker, on_progress=on_progress)
    chunks = chunks_of(points, protocol.chunk_size, places)
    return session.run(chunks, sentinel, total=len(points))


def measure_one(
    workload: Path, *, device: Device, protocol: Protocol, sentinel: Sentinel = NO_SENTINEL
) -> Measurement:
    """Measure one workload. Its file name is the point's id.

    Raises:
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: The workload cannot be measured.
    """
    point = Point(point_id=workload.stem, workload=workload)
    (outcome,) = measure_points([point], device=device, protocol=protocol, sentinel=sentinel)
    if isinstance(outcome, FailedPoint):
        raise ProfilingError(outcome.reason)
    return outcome


def require_unique_ids(points: Sequence[Point]) -> None:
    """Check that the log can tell all points apart.

    Raises:
        ValueError: Two points share an id.
    """
    twice = sorted(name for name, n in Counter(p.point_id for p in points).items() if n > 1)
    if twice:
        raise ValueError(f"'points' must have unique ids. Got {twice[:3]} more than once.")


def chunks_of(
    points: Sequence[Point], size: int, places: Sequence[int] | None = None
) -> Iterator[Sequence[Point]]:
    """Return the points in order, in chunks of `size` of the whole, see `measure_points`."""
    numbered = zip(range(len(points)) if places is None else places, points, strict=True)
    for _, chunk in groupby(numbered, key=lambda pair: pair[0] // size):
        yield [point for _, point in chunk]


def _worker_on(device: Device, timeout_s: float) -> WorkerProcess | RemoteWorker:
    if runtime_of(device) != ONNXRUNTIME:
        timeout_s = max(timeout_s, _BUILD_SECONDS)
    if isinstance(device, RemoteDevice):
        return RemoteWorker(device, timeout_s=timeout_s)
    if isinstance(device, LocalDevice):
        return WorkerProcess(device, timeout_s=timeout_s)
    raise TypeError(f"'device' must be a LocalDevice or a RemoteDevice. Got {device!r}.")


def _require_cores(threads: int, cores: int) -> None:
    if threads > cores:
        raise ValueError(
            f"'threads' must be at most the {cores} cores that the worker may use: threads that "
            f"share a core wait for each other. Got {threads}."
        )


class Session:
    """The state of a session between rounds. The arguments are those of `measure_points`."""

    def __init__(
        self,
        device: Device,
        protocol: Protocol,
        *,
        open_worker: OpensWorker | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        reason = device.unavailable_reason()
        if reason is not None:
            raise DeviceUnavailableError(f"Device {device.name!r} is unavailable: {reason}.")
        self.info = device.info()
        _require_cores(protocol.threads, self.info.cores)
        self._protocol = protocol
        self._open_worker = open_worker or partial(_worker_on, device, protocol.timeout_s)
        self._on_progress = on_progress or (lambda progress: None)
        self._referee = Referee(protocol)
        self._paths: dict[str, Path] = {}
        self._usual_ms: dict[Path, float] = {}
        self._half_widths: dict[str, float] = {}
        self._done = 0
        self._total = 0

    def run(
        self, chunks: Iterable[Sequence[Point]], sentinel: Sentinel, *, total: int
    ) -> Generator[Outcome]:
        """Yield the outcome of every point as soon as it is final.

        Args:
            chunks: The chunks of points that are interleaved. One chunk at a time is taken.
            sentinel: The workload that shows the machine's drift.
            total: The number of all points, for the progress.
        """
        self._total = total
        self._track = SentinelTrack(sentinel.reference_ms)
        for points in chunks:
            ready = []
            for point in points:
                failure = self._prepare(point)
                if failure is None:
                    ready.append(point)
                else:
                    yield failure
            if sentinel.workload is not None:
                yield from self._chunk(ready, sentinel)
            elif points:
                # Only this point has the level that the caller may have given.
                named = replace(sentinel, name=sentinel.name or points[0].point_id)
                sentinel = yield from self._first_chunk(ready, named)

    def _first_chunk(
        self, points: Sequence[Point], wanted: Sentinel
    ) -> Generator[Outcome, None, Sentinel]:
        """Measure a chunk with one of its points as the sentinel, and return this sentinel.

        A point that cannot be run as the sentinel is replaced by the next one while nothing is
        measured yet. A new sentinel has a level of its own: nothing that was read of the old one,
        and no level that was given for it, counts.

        Args:
            points: The points; may be empty.
            wanted: A sentinel without a workload. It is returned when no point can be measured.
        """
        left, is_measured = list(points), False
        while left:
            first = left[0]
            level_ms = wanted.reference_ms if first.point_id == wanted.name else None
            chosen = Sentinel(
                name=first.point_id, workload=self._paths[first.point_id], reference_ms=level_ms
            )
            self._track = SentinelTrack(level_ms)
            try:
                for outcome in self._chunk(left, chosen):
                    is_measured |= isinstance(outcome, Measurement)
                    left = [point for point in left if point.point_id != outcome.point_id]
                    yield outcome
                return chosen
            except SentinelError as error:
                if is_measured:
                    raise
                if first in left:  # it may have failed as a point before
                    left.remove(first)
                    yield self._failed(first, str(error.__cause__), 1)
        return wanted

    def _prepare(self, point: Point) -> FailedPoint | None:
        try:
            self._paths[point.point_id] = point.resolve().resolve()
        except Exception as error:  # the caller's code: one bad point must not end the session
            return self._failed(point, f"Preparing it failed. {type(error).__name__}: {error}", 0)
        return None

    def _chunk(self, points: Sequence[Point], sentinel: Sentinel) -> Iterator[Outcome]:
        blocks: dict[str, list[PointBlock]] = {point.point_id: [] for point in points}
        remaining = list(points)
        for number in range(1, self._protocol.max_rounds + 1):
            order = sorted(remaining, key=partial(self._place, number))
            for point, result in self._round(number, sentinel).run(order):
                if isinstance(result, str):
                    remaining.remove(point)
                    yield self._failed(point, result, number)
                    continue
                if any(earlier.calls != result.calls for earlier in blocks[point.point_id][:1]):
                    remaining.remove(point)
                    reason = f"Its worker timed other calls than before: {', '.join(result.calls)}."
                    yield self._failed(point, reason, number)
                    continue
                blocks[point.point_id].append(result)
                for pair in result.kept.sentinel_pairs_ms:
                    self._track.add(*pair)
            # A point is judged after the round: then the sentinel's readings are known.
            for point in [point for point in order if point in remaining]:
                if self._is_finished(point, blocks[point.point_id]):
                    remaining.remove(point)
                    yield self._finished(point, blocks[point.point_id], number, sentinel)
            if not remaining:
                break

    def _place(self, number: int, point: Point) -> float:
        """Return the place of a point in the order of a round, which other points do not change."""
        return Random(f"{self._protocol.seed} {number} {point.point_id}").random()

    def _round(self, number: int, sentinel: Sentinel) -> Round:
        assert sentinel.workload is not None  # `run` chose one
        return Round(
            self._open_worker,
            self._referee,
            sentinel=sentinel.workload,
            paths=self._paths,
            notify=partial(self._notify, number),
            usual_ms=self._usual_ms,
            number=number,
        )

    def _is_finished(self, point: Point, blocks: Sequence[PointBlock]) -> bool:
        if len(blocks) < 2:  # one block has no interval
            return False
        interval = interval_of(blocks, self._track, self._protocol)
        self._half_widths[point.point_id] = relative_half_width(interval)
        return stop_reason(blocks, interval, self._protocol) is not None

    def _finished(
        self, point: Point, blocks: Sequence[PointBlock], number: int, sentinel: Sentinel
    ) -> Measurement:
        self._track.settle()  # all measurements have one reference
        measurement = measurement_of(
            point,
            blocks,
            protocol=self._protocol,
            device=self.info,
            sentinel=sentinel.name,
            track=self._track,
        )
        self._done += 1
        self._notify(
            number, point, "done", measurement.latency_ms, stop_reason=measurement.stop_reason
        )
        return measurement

    def _failed(self, point: Point, reason: str, number: int) -> FailedPoint:
        self._done += 1
        self._notify(number, point, "failed")
        return FailedPoint(point.point_id, reason, point.columns)

    def _notify(
        self,
        number: int,
        point: Point,
        event: str,
        median_ms: float | None = None,
        *,
        stop_reason: str = "",
    ) -> None:
        progress = Progress(
            done=self._done,
            total=self._total,
            point_id=point.point_id,
            round=number,
            event=event,
            median_ms=median_ms,
            rounds=self._protocol.max_rounds,
            min_rounds=self._protocol.min_rounds,
            half_width=self._half_widths.get(point.point_id),
            target=self._protocol.target_half_width,
            stop_reason=stop_reason,
        )
        self._on_progress(progress)
