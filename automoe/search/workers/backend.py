"""A cluster as a backend of joblib.

Ray's own backend cannot return values before all are there, and Dask's own waits forever for a
task whose worker was killed; a search needs every value at once, and to be told.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from joblib.parallel import ParallelBackendBase

from devices import DeviceUnavailableError


class WorkersUnavailableError(DeviceUnavailableError):
    """Processes or a cluster that cannot be used; the message says what to do."""


class WorkerLostError(RuntimeError):
    """A worker died; what it was evaluating can be evaluated by another one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: its value, or what it raised.

    Attributes:
        value: What was returned.
        error: What was raised; None when there is a value.
    """

    value: Any = None
    error: Exception | None = None


def outcome_of(function: Callable[[], Any]) -> Outcome:
    """Call a function; this runs on the worker."""
    try:
        return Outcome(function())
    except Exception as error:
        return Outcome(error=error)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers that may be on other machines.

    Attributes:
        submit: Has a worker compute `outcome_of` a function, and does not wait for it.
        cancel: Takes a call back that is not needed any more.
        n_workers: How many evaluations run at once.
        lost: What a future raises when its worker is gone.
    """

    submit: "Callable[[Callable[[], Any]], Future[Outcome]]"
    cancel: "Callable[[Future[Outcome]], object]"
    n_workers: int
    lost: tuple[type[BaseException], ...]


class ClusterBackend(ParallelBackendBase):  # type: ignore[misc] # joblib has no annotations
    """What joblib asks of whoever runs its calls.

    Args:
        cluster: Where they are run.
    """

    supports_retrieve_callback = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self._submitted: list[Future[Outcome]] = []

    def start_call(self) -> None:
        """Forget the calls of the last round."""
        self._submitted = []

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Two or more: joblib runs what is for one worker in this process."""
        return max(self._cluster.n_workers, 2)

    def submit(
        self,
        func: Callable[[], Any],
        callback: "Callable[[Future[Outcome]], object] | None" = None,
    ) -> "Future[Outcome]":
        """Have one call run; the callback is called when it is over."""
        future = self._cluster.submit(func)
        self._submitted.append(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: "Future[Outcome]") -> Any:
        """The value of a call that is over.

        Raises:
            WorkerLostError: The worker died.
            WorkersUnavailableError: The cluster could not run the call at all.
            Exception: What the call raised.
        """
        try:
            outcome = out.result()
        except self._cluster.lost as error:
            raise WorkerLostError(one_line(error)) from None
        except Exception as error:
            raise WorkersUnavailableError(
                f"The cluster cannot run an evaluation: {one_line(error)} "
                "Every node needs the same automoe, and the same files under the same paths."
            ) from None
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Take back what is not finished; it is run again or not needed."""
        for future in self._submitted:
            if not future.done():
                self._cluster.cancel(future)


def one_line(error: BaseException) -> str:
    """An error of a library, short enough for a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."
