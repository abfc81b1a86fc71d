"""Run evaluations on a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from automoe.search.workers.cluster import Cluster, WorkersUnavailableError, one_line, outcome_of

_TIMEOUT_S = 10


@contextmanager
def dask_cluster(address: str) -> Iterator[Cluster]:
    """Connect for as long as the `with` block lasts.

    Args:
        address: The address of the scheduler, ``tcp://HOST:PORT``.

    Raises:
        ImportError: Dask is not installed.
        WorkersUnavailableError: No scheduler answers, or the scheduler has no worker.
    """
    from distributed import Client  # optional
    from distributed.scheduler import KilledWorker

    try:
        client = Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersUnavailableError(
            f"No Dask scheduler at '{address}': {one_line(error)} Check host and port."
        ) from None
    with client:
        n_workers = sum(client.ncores().values())
        if n_workers == 0:
            raise WorkersUnavailableError(
                f"The Dask scheduler at '{address}' has no worker. Start one with 'dask worker'."
            )
        executor = client.get_executor(pure=False)
        yield Cluster(partial(executor.submit, outcome_of), n_workers, (KilledWorker,))
