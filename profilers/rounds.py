"""One round: a fresh process in which every point gets a block between two sentinel blocks."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from profilers.blocks import Block, PointBlock, WarmUp, least_disturbed, run_block
from profilers.disturbance import THROTTLED, Referee
from profilers.protocol import Point
from profilers.worker_process import (
    OpensWorker,
    OpenWorker,
    ProfilingError,
    WorkerDied,
    WorkerError,
)

_SENTINEL = "sentinel"
_POINT = "point"
_MIN_WARMUP_RUNS = 2

Notify = Callable[..., None]


class Round:
    """The blocks of one round.

    Args:
        open_worker: Starts a fresh worker.
        referee: Judges every block.
        sentinel: The workload measured before and after every block.
        paths: Workload file of every point, by id.
        notify: Called as `notify(point, event, median_ms)`.
        counts_tokens: Whether to ask which experts served the tokens.
    """

    def __init__(
        self,
        open_worker: OpensWorker,
        referee: Referee,
        *,
        sentinel: Path,
        paths: Mapping[str, Path],
        notify: Notify,
        counts_tokens: bool = False,
    ) -> None:
        self._open_worker = open_worker
        self._referee = referee
        self._protocol = referee.protocol
        self._sentinel = sentinel
        self._paths = paths
        self._notify = notify
        self._counts_tokens = counts_tokens
        self._crashes: dict[str, int] = {}
        self._sentinel_crashes = 0

    def run(self, points: Sequence[Point]) -> Iterator[tuple[Point, PointBlock | str]]:
        """Each point with its block, or with the reason why it has none.

        A crash costs the block it happened in: a new process takes over, and a point that
        crashes a second time is given up.

        Raises:
            ProfilingError: No worker starts, or the sentinel cannot be run.
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
        with self._open_worker() as worker:
            before = self._first_sentinel(worker)
            while queue and before is not None:
                point = queue[0]
                try:
                    block = self._point_block(worker, point, before)
                except WorkerError as error:
                    yield queue.popleft(), str(error)
                    continue
                before = block.sentinel[1]
                self._notify(point, "block", block.kept.median_ms)
                yield queue.popleft(), block

    def _first_sentinel(self, worker: OpenWorker) -> Block | None:
        """The sentinel in a fresh process; None when it died, which may happen once a round."""
        try:
            self._load(worker, _SENTINEL, self._sentinel)
            return self._sentinel_block(worker)
        except WorkerDied as error:
            self._sentinel_crashes += 1
            if self._sentinel_crashes > 1:
                raise self._sentinel_failed(error) from error
            return None
        except WorkerError as error:
            raise self._sentinel_failed(error) from error

    def _point_block(self, worker: OpenWorker, point: Point, before: Block) -> PointBlock:
        load_ms, warm_up = self._load(worker, _POINT, self._paths[point.point_id])
        attempts = self._attempts(worker, _POINT, warm_up.run_ms, point)
        tokens = self._tokens_per_expert(worker) if self._counts_tokens else None
        worker.request("unload", id=_POINT)
        return PointBlock(
            attempts=tuple(attempts),
            warm_up=warm_up,
            load_ms=load_ms,
            sentinel=(before, self._sentinel_after(worker)),
            runtime=f"{worker.hello['runtime']} {worker.hello['runtime_version']}",
            pid=int(worker.hello["pid"]),
            restarted=point.point_id in self._crashes,
            tokens_per_expert=tokens,
        )

    def _tokens_per_expert(self, worker: OpenWorker) -> dict[str, tuple[int, ...]]:
        counted = worker.request("routing", id=_POINT).get("tokens_per_expert", {})
        return {router: tuple(tokens) for router, tokens in counted.items()}

    def _sentinel_after(self, worker: OpenWorker) -> Block:
        """The sentinel once a point has run; should the worker die here, the point did it."""
        try:
            return self._sentinel_block(worker)
        except WorkerError as error:
            raise self._sentinel_failed(error) from error

    def _sentinel_block(self, worker: OpenWorker) -> Block:
        """The sentinel's best block; some runs bring it back into the caches first."""
        warm_up = self._warm_up(worker, _SENTINEL, 0.0)
        return least_disturbed(self._attempts(worker, _SENTINEL, warm_up.run_ms))

    def _sentinel_failed(self, error: Exception) -> ProfilingError:
        return ProfilingError(
            f"The sentinel {self._sentinel} cannot be run; give another 'sentinel'. {error}"
        )

    def _load(self, worker: OpenWorker, workload_id: str, path: Path) -> tuple[float, WarmUp]:
        reply = worker.request(
            "load", id=workload_id, workload=str(path), threads=self._protocol.threads
        )
        warm_up = self._warm_up(worker, workload_id, self._protocol.warmup_seconds)
        return float(reply["load_ms"]), warm_up

    def _warm_up(self, worker: OpenWorker, workload_id: str, seconds: float) -> WarmUp:
        reply = worker.request(
            "warmup",
            id=workload_id,
            min_runs=_MIN_WARMUP_RUNS,
            min_seconds=seconds,
            max_seconds=max(seconds, self._protocol.max_warmup_seconds),
            tolerance=self._protocol.warmup_tolerance,
        )
        return WarmUp(**reply)

    def _attempts(
        self, worker: OpenWorker, workload_id: str, run_ms: float, point: Point | None = None
    ) -> list[Block]:
        """Blocks until one is undisturbed or the retries are used up."""
        attempts: list[Block] = []
        samples = self._protocol.samples_of(run_ms)
        while len(attempts) <= self._protocol.max_block_retries:
            if attempts and point is not None:
                self._notify(point, "retry", attempts[-1].median_ms)
            if attempts and THROTTLED in attempts[-1].disturbances:
                time.sleep(self._protocol.cooldown_seconds)
            taken = run_block(worker, workload_id, samples=samples, threads=self._protocol.threads)
            attempts.append(self._referee.judge(taken))
            if not attempts[-1].disturbances:
                break
        return attempts
