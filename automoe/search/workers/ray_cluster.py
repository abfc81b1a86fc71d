"""Run evaluations on a Ray cluster."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from automoe.search.workers.cluster import (
    Cluster,
    Outcome,
    WorkersUnavailableError,
    one_line,
    outcome_of,
)

_RETRIES = 2  # by Ray, while other calls keep running
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # the user was not asked
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # the logs would go to stdout, which is for data
}


@contextmanager
def ray_cluster(address: str | None = None) -> Iterator[Cluster]:
    """Connect for as long as the `with` block lasts. An existing connection is used and kept.

    Args:
        address: The address ``ray://HOST:PORT``. None takes the cluster that ``RAY_ADDRESS`` names
            or that runs on this machine, and starts one on all cores when there is none.

    Raises:
        ImportError: Ray is not installed.
        WorkersUnavailableError: The cluster does not answer or has no CPU.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray  # optional, and takes seconds to import
    from ray.exceptions import RayError, RayTaskError

    is_opened_here = not ray.is_initialized()
    if is_opened_here:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="warning")
        except (OSError, RayError, RuntimeError, ValueError) as error:
            raise WorkersUnavailableError(
                f"No Ray cluster at '{address or 'RAY_ADDRESS'}': {one_line(error)}. Check the "
                "address, Ray's version there, and RAY_AUTH_MODE=token if it asks for a token."
            ) from None
    try:
        n_workers = int(ray.cluster_resources().get("CPU", 0))
        if n_workers == 0:
            raise WorkersUnavailableError("The Ray cluster has no CPU. Start a node with some.")
        # A RayTaskError does not mean a lost worker: no call can begin there.
        lost = tuple(each for each in RayError.__subclasses__() if each is not RayTaskError)
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(outcome_of)
        references: dict[Future[Outcome], Any] = {}

        def submit(function: Callable[[], Any]) -> Future[Outcome]:
            reference = task.remote(function)
            future: Future[Outcome] = reference.future()
            references[future] = reference
            return future

        yield Cluster(submit, n_workers, lost, lambda future: ray.cancel(references[future]))
    finally:
        if is_opened_here:
            ray.shutdown()
