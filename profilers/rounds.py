"""One round: a fresh process in which every point gets a block between two sentinel blocks."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from devices import Device
from profilers.blocks import Block, PointBlock, least_contended, run_block
from profilers.protocol import Point, Protocol
from profilers.worker_process import ProfilingError, WorkerDied, WorkerError, WorkerProcess

_SENTINEL = "sentinel"
_POINT = "point"
_MIN_WARMUP_RUNS = 2
_MAX_WARMUP_SECONDS = 20.0

Notify = Callable[..., None]


class Round:
    """The blocks of one round.

    Args:
        device: Where.
        protocol: How.
        sentinel: The workload measured before and after every block.
        paths: Workload file of every point, by id.
        notify: Called as `notify(point, event, median_ms)`.
    """

    def __init__(
        self,
        device: Device,
        protocol: Protocol,
        *,
        sentinel: Path,
        paths: Mapping[str, Path],
        notify: Notify,
    ) -> None:
        self._device = device
        self._protocol = protocol
        self._sentinel = sentinel
        self._paths = paths
        self._notify = notify
        self._crashes: dict[str, int] = {}

    def run(self, points: Sequence[Point]) -> Iterator[tuple[Point, PointBlock | str]]:
        """Each point with its block, or with the reason why it has none.

        A crash costs the block it happened in: a new process takes over, and a point that
        crashes a second time is given up.

        Raises:
            ProfilingError: No worker starts or the sentinel cannot be run.
        """
        queue = deque(points)
        while queue:
            try:
                yield from self._process(queue)
            except WorkerDied as error:
                point = queue[0]
                self._crashes[point.point_id] = self._crashes.get(point.point_id, 0) + 1
                if self._crashes[point.point_id] > 1:
                    yield queue.popleft(), f"It crashed the worker twice. {error}"
                else:
                    self._notify(point, "restart")

    def _process(self, queue: deque[Point]) -> Iterator[tuple[Point, PointBlock | str]]:
        """Work through the queue in one process; a point leaves it once its fate is known."""
        with WorkerProcess(self._device, timeout_s=self._protocol.timeout_s) as worker:
            sentinel_ms = self._first_sentinel(worker)
            while queue:
                point = queue[0]
                try:
                    load_ms = self._load(worker, _POINT, self._paths[point.point_id])
                    attempts = self._attempts(worker, _POINT, point)
                    worker.request("unload", id=_POINT)
                except WorkerError as error:
                    yield queue.popleft(), str(error)
                    continue
                after_ms = self._sentinel_after(worker)
                around_ms, sentinel_ms = (sentinel_ms, after_ms), after_ms
                block = self._point_block(worker, point, attempts, load_ms, around_ms)
                self._notify(point, "block", block.kept.median_ms)
                yield queue.popleft(), block

    def _first_sentinel(self, worker: WorkerProcess) -> float:
        try:
            self._load(worker, _SENTINEL, self._sentinel)
            return self._sentinel_ms(worker)
        except (WorkerError, WorkerDied) as error:
            raise self._sentinel_failed(error) from error

    def _sentinel_after(self, worker: WorkerProcess) -> float:
        """The sentinel once a point has run; should the worker die here, the point did it."""
        try:
            return self._sentinel_ms(worker)
        except WorkerError as error:
            raise self._sentinel_failed(error) from error

    def _sentinel_ms(self, worker: WorkerProcess) -> float:
        """The sentinel's median; two runs bring it back into the caches first."""
        self._warm_up(worker, _SENTINEL, 0.0)
        return least_contended(self._attempts(worker, _SENTINEL)).median_ms

    def _sentinel_failed(self, error: Exception) -> ProfilingError:
        return ProfilingError(
            f"The sentinel {self._sentinel} cannot be run; give another 'sentinel'. {error}"
        )

    def _load(self, worker: WorkerProcess, workload_id: str, path: Path) -> float:
        reply = worker.request(
            "load", id=workload_id, workload=str(path), threads=self._protocol.threads
        )
        self._warm_up(worker, workload_id, self._protocol.warmup_seconds)
        return float(reply["load_ms"])

    def _warm_up(self, worker: WorkerProcess, workload_id: str, seconds: float) -> None:
        worker.request(
            "warmup",
            id=workload_id,
            min_runs=_MIN_WARMUP_RUNS,
            min_seconds=seconds,
            max_seconds=max(seconds, _MAX_WARMUP_SECONDS),
        )

    def _attempts(
        self, worker: WorkerProcess, workload_id: str, point: Point | None = None
    ) -> list[Block]:
        """Blocks until one is undisturbed or the retries are used up."""
        attempts: list[Block] = []
        settings = self._protocol
        while len(attempts) <= settings.max_block_retries:
            attempts.append(
                run_block(
                    worker,
                    workload_id,
                    samples=settings.samples_per_block,
                    threads=settings.threads,
                )
            )
            if attempts[-1].contention <= settings.contention_limit:
                break
            if point is not None:
                self._notify(point, "retry", attempts[-1].median_ms)
        return attempts

    def _point_block(
        self,
        worker: WorkerProcess,
        point: Point,
        attempts: Sequence[Block],
        load_ms: float,
        sentinel_ms: tuple[float, float],
    ) -> PointBlock:
        return PointBlock(
            attempts=tuple(attempts),
            load_ms=load_ms,
            sentinel_ms=sentinel_ms,
            runtime=f"{worker.hello['runtime']} {worker.hello['runtime_version']}",
            pid=int(worker.hello["pid"]),
            restarted=point.point_id in self._crashes,
        )
