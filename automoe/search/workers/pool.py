"""Where evaluations run: in this process, in several here, or on a cluster."""

import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

from automoe.search.workers.backend import (
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

_MOST_IN_VAIN = 3
_PATIENCE_S = 5.0
_NEEDED = {  # what it is called, imported as (Ray's client is for other machines) and installed by
    "ray": ("Ray", ("ray.exceptions", "grpc"), "'ray[client]'"),
    "dask": ("Dask", ("distributed.scheduler",), "distributed"),
}


@dataclass(frozen=True, slots=True)
class Workers:
    """Who runs a function for many arguments.

    Attributes:
        cluster: Where it runs; None runs it in this process.
    """

    cluster: Cluster | None = None

    def run_all(
        self, function: Callable[[Argument], Value], arguments: Sequence[Argument]
    ) -> Generator[tuple[int, Value]]:
        """Call a function with each argument.

        What a worker that died has not returned is run again, after the others and at last alone,
        until three times in a row nothing came of it: one call that kills every worker costs no
        other call its value.

        Args:
            function: What to call; it and its values must be able to travel to other processes.
            arguments: What to call it with.

        Yields:
            The place of an argument and the value for it, in the order in which they are finished.

        Raises:
            WorkersUnavailableError: Workers keep dying.
        """
        left = dict(enumerate(arguments))
        n_in_vain = 0
        while left:
            n_before = len(left)
            now = dict(islice(left.items(), 1 if n_in_vain else None))
            try:
                for place, value in self._run_once(function, now):
                    del left[place]
                    yield place, value
                n_in_vain = 0
            except WorkerLostError as error:
                n_in_vain = n_in_vain + 1 if len(left) == n_before else 0
                if n_in_vain == _MOST_IN_VAIN:
                    raise WorkersUnavailableError(
                        f"Workers died {n_in_vain} times in a row before any of {len(left)} "
                        f"evaluations was finished: {one_line(error)} Use fewer workers, or give "
                        "them more memory."
                    ) from None
                n_workers = 1 if self.cluster is None else self.cluster.n_workers
                left = _suspects_last(left, min(n_workers, len(now)))

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
def workers(jobs: int = 1, cluster: str | None = None) -> Generator[Workers]:
    """Processes or a cluster for as long as the block lasts.

    Args:
        jobs: Processes on this machine; 1 runs all in this process.
        cluster: ``ray`` for the Ray cluster of this machine or a new one, ``ray://HOST:PORT``,
            ``dask://HOST:PORT`` or ``tcp://HOST:PORT`` for a Dask scheduler.

    Raises:
        ValueError: Both are given, or one is out of range.
        WorkersUnavailableError: The cluster cannot be used.
    """
    if jobs < 1:
        raise ValueError(f"'jobs' must be at least 1. Got {jobs}.")
    if cluster is not None and jobs > 1:
        raise ValueError(
            f"'jobs' must be 1 with a cluster, which says itself how many. Got {jobs}."
        )
    if cluster is not None:
        with _connected(cluster) as connected:
            yield Workers(connected)
    elif jobs == 1:
        yield HERE
    else:
        with processes(jobs) as here:
            yield Workers(here)


def _suspects_last(left: dict[int, Argument], n_begun: int) -> dict[int, Argument]:
    """Put those last that had begun when a worker died: one of them may have killed it."""
    places = list(left)  # in the order in which workers take them
    return {place: left[place] for place in places[n_begun:] + places[:n_begun]}


def _connected(cluster: str) -> AbstractContextManager[Cluster]:
    require_cluster(cluster)
    if cluster == "ray":
        return ray_cluster()
    address = urlsplit(cluster)
    return (
        ray_cluster(cluster) if address.scheme == "ray" else dask_cluster(f"tcp://{address.netloc}")
    )


def parsed_cluster(cluster: str) -> tuple[str, str, int]:
    """Kind, host and port of the address of a cluster.

    Raises:
        ValueError: It is none.
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
    """Look, without connecting, whether a cluster answers and what it needs is installed.

    Args:
        cluster: As of `workers`; None needs nothing.

    Raises:
        ValueError: It is no address.
        WorkersUnavailableError: Nothing listens there, or a package is missing here.
    """
    if cluster is None:
        return
    kind = cluster
    if cluster != "ray":
        kind, host, port = parsed_cluster(cluster)
        _require_reachable(cluster, host, port)
    title, modules, package = _NEEDED["ray" if kind == "ray" else "dask"]
    try:
        for module in modules[: 1 if cluster == "ray" else None]:
            import_module(module)
    except ImportError as error:
        raise WorkersUnavailableError(
            f"'cluster' needs {title}, which is not installed: pip install {package}. ({error})"
        ) from None


def _require_reachable(cluster: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=_PATIENCE_S).close()
    except OSError as error:
        raise WorkersUnavailableError(
            f"No cluster answers at '{cluster}': {error.strerror or error}. Check host and port."
        ) from None
