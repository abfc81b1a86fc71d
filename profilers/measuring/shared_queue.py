"""This module measures one queue of points on several devices of one kind."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from queue import Queue
from threading import Condition, Lock, Thread

from devices import Device, DeviceUnavailableError
from profilers.measuring.measurement import Measurement
from profilers.measuring.protocol import Point, Progress, Protocol, Sentinel
from profilers.measuring.session import Outcome, ProgressCallback, Session, require_unique_ids
from profilers.workers.local import ProfilingError

OnLost = Callable[[str], None]

_JOIN_SECONDS = 30.0
_GONE = (DeviceUnavailableError, ProfilingError)


def measure_on_several(
    points: Sequence[Point],
    *,
    devices: Sequence[Device],
    protocol: Protocol,
    sentinel: Sentinel,
    on_progress: ProgressCallback | None = None,
    on_lost: OnLost = lambda message: None,
) -> Generator[Outcome]:
    """Measure every point on one of several devices. Each outcome is yielded when it is final.

    All latencies are corrected to one level. When the sentinel has no level yet, the first device
    measures the first chunk while the others wait, and the level is that of this chunk. When a
    device is lost, the other devices measure its unfinished points.

    Args:
        points: The points to measure. Their ids are unique.
        devices: The devices, which have one fingerprint and one power mode.
        protocol: The settings of the sessions.
        sentinel: A sentinel with a workload, which every device measures.
        on_progress: A function that is called after every block, in the thread of the device.
        on_lost: A function that is called with the reason when a device is lost.

    Raises:
        ValueError: Two points share an id, the devices differ, or the sentinel has no workload.
        DeviceUnavailableError: A device cannot be used; while iterating, all are lost.
        ProfilingError: Raised while iterating, when nothing can be measured.
    """
    require_unique_ids(points)
    _require_alike(devices)
    if sentinel.workload is None:
        raise ValueError("'sentinel' must have a workload, the same for all devices. Got none.")
    queue = _Queue(points, protocol, sentinel, on_progress=on_progress, on_lost=on_lost)
    return queue.run([Session(device, protocol, on_progress=queue.progress) for device in devices])


class _Stopped(Exception):  # noqa: N818 - it is not an error
    """The caller wants no more outcomes."""


class _Queue:
    """The points that remain, and the threads that measure them."""

    def __init__(
        self,
        points: Sequence[Point],
        protocol: Protocol,
        sentinel: Sentinel,
        *,
        on_progress: ProgressCallback | None,
        on_lost: OnLost,
    ) -> None:
        self._preparing = Lock()
        self._changed = Condition()  # guards `_left` and `_taken`
        self._left = deque(map(self._one_at_a_time, points))
        self._taken: dict[str, Point] = {}
        self._total = len(points)
        self._done = 0
        self._protocol = protocol
        self._sentinel = sentinel
        self._on_progress = on_progress
        self._on_lost = on_lost
        self._results: Queue[Outcome | Exception | None] = Queue()  # None when a thread has ended
        self._is_stopped = False

    def run(self, sessions: Sequence[Session]) -> Generator[Outcome]:
        sessions = list(sessions)
        while self._left and self._sentinel.reference_ms is None:
            try:
                yield from self._first_chunk(sessions[0])
            except _GONE as error:
                sessions.pop(0)
                self._lose(error, n_left=len(sessions))
        threads = [
            Thread(target=self._work, args=[session, len(sessions)], daemon=True)
            for session in sessions
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._outcomes(len(threads))
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify_all()
            deadline = time.monotonic() + _JOIN_SECONDS
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def progress(self, event: Progress) -> None:
        """Pass an event of a session on, with the counts of all sessions."""
        if self._is_stopped:
            raise _Stopped
        with self._changed:
            self._done += event.event in ("done", "failed")
        if self._on_progress is not None:
            self._on_progress(replace(event, done=self._done, total=self._total))

    def _first_chunk(self, session: Session) -> Iterator[Outcome]:
        """Measure the first chunk on one device. Its first measurement gives the level."""
        chunk = self._next_chunk(n_devices=1)
        try:
            for outcome in session.run([chunk], self._sentinel, total=self._total):
                self._forget(outcome.point_id)
                if isinstance(outcome, Measurement):
                    level_ms = outcome.sentinel_reference_ms
                    self._sentinel = replace(self._sentinel, reference_ms=level_ms)
                yield outcome
        except _GONE:
            self._give_back(chunk)
            raise

    def _lose(self, error: Exception, *, n_left: int) -> None:
        """Report that a device is lost, or raise the error when none can measure what is left."""
        with self._changed:
            is_finished = not self._left and not self._taken
        if n_left == 0 and not is_finished:
            raise error
        self._on_lost(f"{error} The other devices continue." if n_left else str(error))

    def _outcomes(self, n_threads: int) -> Iterator[Outcome]:
        n_working = n_left = n_threads
        while n_working:
            result = self._results.get()
            if result is None:
                n_working -= 1
            elif isinstance(result, _GONE):
                n_left -= 1  # the thread of a lost device ends later, perhaps after the next loss
                self._lose(result, n_left=n_left)
            elif isinstance(result, Exception):
                raise result
            else:
                yield result

    def _work(self, session: Session, n_devices: int) -> None:
        """Measure on one device until no points remain or the device is lost."""
        mine: list[Point] = []

        def chunks() -> Iterator[Sequence[Point]]:
            while chunk := self._next_chunk(n_devices):
                mine[:] = chunk
                yield chunk

        try:
            for outcome in session.run(chunks(), self._sentinel, total=self._total):
                self._forget(outcome.point_id)
                self._results.put(outcome)
        except _Stopped:
            pass
        except Exception as error:  # raised again in the caller's thread
            self._give_back(mine)
            self._results.put(error)
        finally:
            self._results.put(None)

    def _next_chunk(self, n_devices: int) -> list[Point]:
        """Return the points that one device takes next; empty when no points remain.

        The chunk is small enough for each other device to get as many points. While other devices
        are busy, this waits, because the points that they cannot finish come back.
        """
        with self._changed:
            while not self._left and self._taken and not self._is_stopped:
                self._changed.wait()
            size = min(self._protocol.chunk_size, ceil(len(self._left) / n_devices))
            chunk = [self._left.popleft() for _ in range(0 if self._is_stopped else size)]
            self._taken.update({point.point_id: point for point in chunk})
            return chunk

    def _forget(self, point_id: str) -> None:
        with self._changed:
            del self._taken[point_id]
            self._changed.notify_all()

    def _give_back(self, points: Sequence[Point]) -> None:
        with self._changed:
            unfinished = [point for point in points if point.point_id in self._taken]
            self._left.extend(self._taken.pop(point.point_id) for point in unfinished)
            self._changed.notify_all()

    def _one_at_a_time(self, point: Point) -> Point:
        """Return the point with a `prepare` that runs alone, because graphs share files."""
        prepare = point.prepare
        if prepare is None:
            return point

        def prepared() -> Path:
            with self._preparing:
                return prepare()

        return replace(point, prepare=prepared)


def _require_alike(devices: Sequence[Device]) -> None:
    infos = [device.info() for device in devices]
    for info in infos[1:]:
        for name in ("fingerprint", "power_mode"):
            first, other = getattr(infos[0], name), getattr(info, name)
            if first != other:
                raise ValueError(
                    f"'devices' must be alike to share one log. Got the {name.replace('_', ' ')} "
                    f"{first} of {infos[0].model} and {other} of {info.model}; use another --log "
                    "for it."
                )
