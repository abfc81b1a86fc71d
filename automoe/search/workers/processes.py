"""Run evaluations in processes of this machine."""

import os
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from loky import get_reusable_executor

from automoe.parent_process import end_with
from automoe.search.workers.cluster import Cluster

_IDLE_S = 300.0  # seconds that a process keeps its model in memory without work
_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "BLIS", "NUMEXPR", "NUMBA")
# One thread for each process: together the processes use all cores, and none waits for work busily.
_ENVIRONMENT = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES} | {
    "VECLIB_MAXIMUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


def _left_to_end(future: "Future[Any]") -> None:
    """Do not cancel a call: its process is killed soon, and loky stumbles over a cancelled one."""


@contextmanager
def processes(jobs: int) -> Generator[Cluster]:
    """Start processes, and stop them when the `with` block ends: each holds a model in memory.

    Args:
        jobs: The number of processes.
    """
    executor = None

    def submit(call: Callable[[], Any]) -> "Future[Any]":
        nonlocal executor
        # The executor is replaced when a process dies; its other processes are stopped then.
        executor = get_reusable_executor(
            max_workers=jobs,
            timeout=_IDLE_S,
            env=_ENVIRONMENT,
            initializer=end_with,
            initargs=(os.getpid(),),
        )
        future: Future[Any] = executor.submit(call)
        return future

    try:
        yield Cluster(submit, jobs, (BrokenProcessPool,), _left_to_end, is_elsewhere=False)
    finally:
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)
