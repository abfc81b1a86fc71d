"""Run calls on workers in other processes or on other machines, which may die at any moment."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, TypeVar

from devices import DeviceUnavailableError

Value = TypeVar("Value")


class WorkersUnavailableError(DeviceUnavailableError):
    """Evaluation workers cannot be used. The message names the remedy."""


class WorkerLostError(RuntimeError):
    """A worker died. Another worker can run the call."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The value of a call on a cluster, or the error that the call raised.

    It separates the errors of the call from those of the cluster.

    Attributes:
        value: The value that was returned.
        error: The error that was raised; None when there is a value.
    """

    value: Any = None
    error: Exception | None = None


def outcome_of(function: Callable[[], Any]) -> Outcome:
    """Call a function and return its outcome. This runs on the worker."""
    try:
        return Outcome(function())
    except Exception as error:
        return Outcome(error=error)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers that run calls.

    Attributes:
        submit: A function that gives a call to a worker and does not wait for it.
        n_workers: The number of calls that run at the same time.
        lost: The errors of `submit` and of a future when a worker is gone.
        cancel: A function that cancels a call.
        is_elsewhere: Whether the workers may run on other machines. `submit` then has them return
            the `Outcome` of a call.
    """

    submit: "Callable[[Callable[[], Any]], Future[Any]]"
    n_workers: int
    lost: tuple[type[BaseException], ...]
    cancel: "Callable[[Future[Any]], object]" = methodcaller("cancel")
    is_elsewhere: bool = True

    def run(self, calls: Mapping[int, Callable[[], Value]]) -> Generator[tuple[int, Value]]:
        """Run calls. When this generator is closed early, cancel those that are not finished.

        Args:
            calls: The calls by their numbers.

        Yields:
            The number of a call and its value, in the order in which the calls finish.

        Raises:
            WorkerLostError: A worker died.
            WorkersUnavailableError: The cluster could not run a call at all.
            Exception: A call raised this error.
        """
        submitted: dict[Future[Any], int] = {}
        try:
            try:
                for number, call in calls.items():
                    submitted[self.submit(call)] = number
            except self.lost as error:
                raise WorkerLostError(one_line(error)) from None
            for future in as_completed(submitted):
                yield submitted[future], self._value(future)
        finally:
            for future in submitted:
                if not future.done():
                    self.cancel(future)

    def _value(self, future: "Future[Any]") -> Any:
        try:
            result = future.result()
        except self.lost as error:
            raise WorkerLostError(one_line(error)) from None
        except Exception as error:
            if not self.is_elsewhere:
                raise
            raise WorkersUnavailableError(
                f"The cluster cannot run an evaluation: {one_line(error)} "
                "Every node needs the same automoe, and the same files under the same paths."
            ) from None
        if not self.is_elsewhere:
            return result
        if result.error is not None:
            raise result.error
        return result.value


def one_line(error: BaseException) -> str:
    """Return the text of a library's error, short enough for a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."
