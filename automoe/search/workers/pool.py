"""Run evaluations in this process, in several processes here, or on a cluster."""

import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import islice
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit

from automoe.search.workers.cluster import (
    Cluster,
    WorkerLostError,
    WorkersUnavailableError,
    one_line,
)
from automoe.search.workers.dask_cluster import dask_cluster
from automoe.search.workers.processes import processes
from automoe.search.workers.ray_cluster import ray_cluster

Argument = TypeVar("Argument")
Value = TypeVar("Value")

_MOST_FAILED_ATTEMPTS = 3
_TIMEOUT_S = 5.0
# The name of each library, its modules and its package. Only other machines need Ray's second one.
_NEEDED = {
    "ray": ("Ray", ("ray.exceptions", "grpc"), "'ray[client]'"),
    "dask": ("Dask", ("distributed.scheduler",), "distributed"),
}


@dataclass(slots=True)
class Patience:
    """The time for which this process evaluates alone, because workers take seconds to start.

    Attributes:
        left_s: The seconds that are left.
    """

    left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Workers:
    """The evaluation workers, which call a function with many arguments.

    Attributes:
        cluster: The workers that run the calls; None runs them in this process.
        patience: The time for which this process runs the calls before the workers do.
    """

    cluster: Cluster | None = None
    patience: Patience = field(default_factory=Patience)

    @property
    def n_workers(self) -> int:
        """The number of calls that run at the same time."""
        return 1 if self.cluster is None else self.cluster.n_workers

    def run_all(
        self, function: Callable[[Argument], Value], arguments: Sequence[Argument]
    ) -> Generator[tuple[int, Value]]:
        """Call a function with each argument.

        When a worker dies, its calls are run again, after the other calls and at last one at a
        time. So a call that kills its worker does not prevent other calls. Three attempts in a row
        without any value end the run.

        Args:
            function: The function. It and its values must be able to travel to other processes.
            arguments: The arguments, one for each call.

        Yields:
            The position of an argument and the value for it, in the order in which calls finish.

        Raises:
            WorkersUnavailableError: Workers died in three attempts in a row.
        """
        left = dict(enumerate(arguments))
        while left and self.patience.left_s > 0:
            place, start = next(iter(left)), monotonic()
            value = function(left.pop(place))
            self.patience.left_s -= monotonic() - start
            yield place, value
        n_failed_attempts = 0
        while left:
            n_before = len(left)
            now = dict(islice(left.items(), 1 if n_failed_attempts else None))
            try:
                for place, value in self._run_once(function, now):
                    del left[place]
                    yield place, value
                n_failed_attempts = 0
            except WorkerLostError as error:
                n_failed_attempts = n_failed_attempts + 1 if len(left) == n_before else 0
                if n_failed_attempts == _MOST_FAILED_ATTEMPTS:
                    raise WorkersUnavailableError(
                        f"Workers died {n_failed_attempts} times in a row before any of "
                        f"{len(left)} evaluations was finished: {one_line(error)} Use fewer "
                        "workers, or give them more memory."
                    ) from None
                left = _started_ones_last(left, min(self.n_workers, len(now)))

    def _run_once(
        self, function: Callable[[Argument], Value], arguments: Mapping[int, Argument]
    ) -> Generator[tuple[int, Value]]:
        if self.cluster is None:
            for place, argument in arguments.items():
                yield place, function(argument)
            return
        calls = {place: partial(function, argument) for place, argument in arguments.items()}
        with closing(self.cluster.run(calls)) as values:
            yield from values


HERE = Workers()


@contextmanager
def workers(
    jobs: int = 1, cluster: str | None = None, *, patience_s: float = 0.0
) -> Generator[Workers]:
    """Start processes or connect to a cluster for as long as the `with` block lasts.

    Args:
        jobs: The number of processes on this machine; 1 runs all calls in this process.
        cluster: The address of a cluster: ``ray`` for the Ray cluster of this machine or a new
            one, ``ray://HOST:PORT``, or ``dask://HOST:PORT`` or ``tcp://HOST:PORT`` for a Dask
            scheduler.
        patience_s: The seconds for which this process evaluates before it uses any worker.

    Raises:
        ValueError: Both are given, or one of them is out of range.
        WorkersUnavailableError: The cluster cannot be used.
    """
    if jobs < 1:
        raise ValueError(f"'jobs' must be at least 1. Got {jobs}.")
    if cluster is not None and jobs > 1:
        raise ValueError(
            f"'jobs' must be 1 with a cluster, which says itself how many. Got {jobs}."
        )
    if cluster is None and jobs == 1:
        yield HERE
        return
    with processes(jobs) if cluster is None else _connected(cluster) as connected:
        yield Workers(connected, Patience(patience_s))


def _started_ones_last(left: dict[int, Argument], n_started: int) -> dict[int, Argument]:
    """Put the calls last that had started when a worker died: one of them may have killed it."""
    places = list(left)  # in the order in which workers take them
    return {place: left[place] for place in places[n_started:] + places[:n_started]}


def _connected(cluster: str) -> AbstractContextManager[Cluster]:
    require_cluster(cluster)
    if cluster.startswith("ray"):
        return ray_cluster(None if cluster == "ray" else cluster)
    return dask_cluster(f"tcp://{urlsplit(cluster).netloc}")


def parsed_cluster(cluster: str) -> tuple[str, str, int]:
    """Return the kind, the host and the port of a cluster's address.

    Raises:
        ValueError: The text is not such an address.
    """
    try:
        parts = urlsplit(cluster)
        kind, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        kind, host, port = "", None, None
    if kind not in {"ray", "dask", "tcp"} or host is None or port is None:
        raise ValueError(
            "'cluster' must be ray, ray://HOST:PORT, dask://HOST:PORT or tcp://HOST:PORT. "
            f"Got '{cluster}'."
        )
    return kind, host, port


def require_cluster(cluster: str | None) -> None:
    """Check that a cluster answers, without joining it, and that its library is installed.

    Args:
        cluster: The address of a cluster, see `workers`; None needs nothing.

    Raises:
        ValueError: The text is not an address.
        WorkersUnavailableError: Nothing listens there, or a package is missing here.
    """
    if cluster is None:
        return
    if cluster != "ray":
        _, host, port = parsed_cluster(cluster)
        try:
            socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
        except OSError as error:
            raise WorkersUnavailableError(
                f"No cluster answers at '{cluster}': {error.strerror or error}. Check host and "
                "port."
            ) from None
    title, modules, package = _NEEDED["ray" if cluster.startswith("ray") else "dask"]
    try:
        for module in modules[: 1 if cluster == "ray" else None]:
            import_module(module)
    except ImportError as error:
        raise WorkersUnavailableError(
            f"'cluster' needs {title}, which is not installed: pip install {package}. ({error})"
        ) from None
