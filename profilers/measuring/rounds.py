"""This module runs one round: a fresh process in which every point gets one block."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path

from profilers.measuring.blocks import Block, PointBlock, WarmUp, run_block
from profilers.measuring.disturbance import THROTTLED, Referee
from profilers.measuring.protocol import Point
from profilers.workers.local import OpensWorker, OpenWorker, SentinelError, WorkerDied, WorkerError

_SENTINEL = "sentinel"
_POINT = "point"
_MIN_WARMUP_RUNS = 2

Notify = Callable[..., None]


class Round:
    """The blocks of one round.

    Args:
        open_worker: A function that starts a fresh worker.
        referee: The judge of every block.
        sentinel: The workload that is measured before, within and after every block.
        paths: The workload file of every point, by id.
        notify: A function that is called as `notify(point, event, median_ms)`.
        usual_ms: The shortest time of a run of each workload file in the rounds in which it
            settled. This round adds its own.
        number: The number of the round, from 1. In the first one, the tokens that each expert
            served are counted.
    """

    def __init__(
        self,
        open_worker: OpensWorker,
        referee: Referee,
        *,
        sentinel: Path,
        paths: Mapping[str, Path],
        notify: Notify,
        usual_ms: dict[Path, float],
        number: int = 1,
    ) -> None:
        self._open_worker = open_worker
        self._referee = referee
        self._protocol = referee.protocol
        self._sentinel = sentinel
        self._paths = paths
        self._notify = notify
        self._usual_ms = usual_ms
        self._number = number
        self._crashes: dict[str, int] = {}
        self._sentinel_has_crashed = False

    def run(self, points: Sequence[Point]) -> Iterator[tuple[Point, PointBlock | str]]:
        """Yield each point with its block, or with the reason why it has none.

        When a worker crashes, only the current block is lost, and a new process measures the
        rest. A point at which a second worker crashes is given up.

        Raises:
            ProfilingError: No worker starts.
            SentinelError: The sentinel cannot be run.
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
        """Measure the queue in one process. A point leaves the queue when its outcome is known."""
        with self._open_worker() as worker:
            has_sentinel = self._load_sentinel(worker)
            while queue and has_sentinel:
                point = queue[0]
                try:
                    block = self._point_block(worker, point)
                except WorkerError as error:
                    yield queue.popleft(), str(error)
                    continue
                self._notify(point, "block", block.kept.median_ms)
                yield queue.popleft(), block

    def _load_sentinel(self, worker: OpenWorker) -> bool:
        """Load the sentinel into a fresh process.

        Return False when the process died, which may happen once in a round.
        """
        try:
            self._load(worker, _SENTINEL, self._sentinel)
            return True
        except (WorkerDied, WorkerError) as error:
            if isinstance(error, WorkerDied) and not self._sentinel_has_crashed:
                self._sentinel_has_crashed = True
                return False
            raise SentinelError(
                f"The sentinel {self._sentinel} cannot be run; give another 'sentinel'. {error}"
            ) from error

    def _point_block(self, worker: OpenWorker, point: Point) -> PointBlock:
        load_ms, warm_up = self._load(worker, _POINT, self._paths[point.point_id])
        attempts = self._attempts(worker, point, warm_up.run_ms)
        tokens = self._tokens_per_expert(worker) if self._number == 1 else None
        worker.request("unload", id=_POINT)
        return PointBlock(
            attempts=tuple(attempts),
            warm_up=warm_up,
            load_ms=load_ms,
            runtime=f"{worker.hello['runtime']} {worker.hello['runtime_version']}",
            pid=int(worker.hello["pid"]),
            restarted=point.point_id in self._crashes,
            tokens_per_expert=tokens,
            energy_meter=str(worker.hello.get("energy_meter", "")),
        )

    def _tokens_per_expert(self, worker: OpenWorker) -> dict[str, tuple[int, ...]]:
        counted = worker.request("routing", id=_POINT).get("tokens_per_expert", {})
        return {router: tuple(tokens) for router, tokens in counted.items()}

    def _load(self, worker: OpenWorker, workload_id: str, path: Path) -> tuple[float, WarmUp]:
        reply = worker.request(
            "load",
            id=workload_id,
            workload=str(path),
            threads=self._protocol.threads,
            seed=self._protocol.seed,
            round=self._number,
        )
        seconds = self._protocol.warmup_seconds
        warmed = worker.request(
            "warmup",
            id=workload_id,
            min_runs=_MIN_WARMUP_RUNS,
            min_seconds=seconds,
            max_seconds=max(seconds, self._protocol.max_warmup_seconds),
            tolerance=self._protocol.warmup_tolerance,
            usual_ms=self._usual_ms.get(path),
        )
        warm_up = WarmUp(**warmed)
        if warm_up.settled:
            # The shortest one, because each round may accept a run that is slower by the tolerance.
            self._usual_ms[path] = min(warm_up.run_ms, self._usual_ms.get(path, inf))
        return float(reply["load_ms"]), warm_up

    def _attempts(self, worker: OpenWorker, point: Point, run_ms: float) -> list[Block]:
        """Return the attempts at a block, until one is undisturbed or a retry is of no use."""
        attempts = [self._block(worker, run_ms)]
        while (
            attempts[-1].disturbances
            and len(attempts) <= self._protocol.max_block_retries
            and self._referee.is_worth_repeating
        ):
            self._notify(point, "retry", attempts[-1].median_ms)
            if THROTTLED in attempts[-1].disturbances:
                time.sleep(self._protocol.cooldown_seconds)
            attempts.append(self._block(worker, run_ms))
        return attempts

    def _block(self, worker: OpenWorker, run_ms: float) -> Block:
        samples = self._protocol.samples_of(run_ms)
        taken = run_block(
            worker, _POINT, sentinel_id=_SENTINEL, samples=samples, protocol=self._protocol
        )
        return self._referee.judge(taken)
