"""Workers in other processes or on other machines, each of which can die at any moment."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from devices import DeviceUnavailableError

Value = TypeVar("Value")


class WorkersUnavailableError(DeviceUnavailableError):
    """Processes or a cluster that cannot be used; the message says what to do."""


class WorkerLostError(RuntimeError):
    """A worker died; what it was evaluating can be evaluated by another one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call on a cluster: its value, or what it raised.

    A cluster raises errors of its own as well, and the two must be told apart.

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
    """Workers that run calls.

    Attributes:
        submit: Has a worker run a call, and does not wait for it.
        cancel: Takes a call back that is not needed any more.
        n_workers: How many calls run at once.
        lost: What `submit` and a future raise when a worker is gone.
        is_elsewhere: Whether the workers are not of this machine; `submit` then has them compute
            the `outcome_of` a call.
    """

    submit: "Callable[[Callable[[], Any]], Future[Any]]"
    cancel: "Callable[[Future[Any]], object]"
    n_workers: int
    lost: tuple[type[BaseException], ...]
    is_elsewhere: bool = True

    def run(self, calls: Mapping[int, Callable[[], Value]]) -> Generator[tuple[int, Value]]:
        """Run calls, and take back what is not finished when this generator is closed early.

        Args:
            calls: The calls, by a number of each.

        Yields:
            The number of a call and its value, in the order in which they are finished.

        Raises:
            WorkerLostError: A worker died.
            WorkersUnavailableError: The cluster could not run a call at all.
            Exception: What a call raised.
        """
        submitted: dict[Future[Any], int] = {}
        try:
            for number, call in calls.items():
                submitted[self._submitted(call)] = number
            for future in as_completed(submitted):
                yield submitted[future], self._value(future)
        finally:
            for future in submitted:
                if not future.done():
                    self.cancel(future)

    def _submitted(self, call: Callable[[], Any]) -> "Future[Any]":
        try:
            return self.submit(call)
        except self.lost as error:
            raise WorkerLostError(one_line(error)) from None

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
    """An error of a library, short enough for a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."
