"""Evaluations in processes of this machine."""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from loky import get_reusable_executor

from automoe.search.workers.backend import Cluster

_IDLE_S = 300.0  # for which a process keeps its model in memory between two generations
_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "BLIS", "NUMEXPR", "NUMBA")
# One thread for each process: together they have all cores.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}


@contextmanager
def processes(jobs: int) -> Generator[Cluster]:
    """Have processes for as long as the block lasts.

    Each holds a model in memory, so none is left when the block ends.

    Args:
        jobs: How many.
    """
    executor = None

    def submit(call: Callable[[], Any]) -> "Future[Any]":
        nonlocal executor
        # The same one until a process dies: then the others are stopped, and this one is new.
        executor = get_reusable_executor(max_workers=jobs, timeout=_IDLE_S, env=_ONE_THREAD)
        future: Future[Any] = executor.submit(call)
        return future

    def cancel(future: "Future[Any]") -> bool:
        return future.cancel()

    try:
        yield Cluster(submit, cancel, jobs, (BrokenProcessPool,), is_elsewhere=False)
    finally:
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)
