"""This module holds what branches and loops share: the nodes that run inside, and their values."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from onnx import GraphProto

from profilers.costs.operator_flops import flops_of
from profilers.costs.values import ShapedNode, UnknownCostError, Value


class FollowsBody(Protocol):
    """A function that returns the nodes of a body, and the body's outputs, for its inputs."""

    def __call__(
        self, body: GraphProto, inputs: Mapping[str, Value]
    ) -> tuple[tuple[ShapedNode, ...], tuple[Value, ...]]:
        """Return the nodes and the outputs."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The nodes that run inside another node.

    Attributes:
        inner: Groups of nodes, each with the number of times that it runs.
        outputs: The node's outputs, as far as they are known.
        problem: The reason why something is unknown; otherwise empty.
        is_certain: Whether these nodes are sure to run.
    """

    inner: tuple[tuple[int, tuple[ShapedNode, ...]], ...]
    outputs: tuple[Value, ...]
    problem: str = ""
    is_certain: bool = True


def visits_of(nodes: Iterable[ShapedNode], times: int = 1) -> Iterator[tuple[ShapedNode, int]]:
    """Yield every node, also those in bodies, with the number of times that its graph runs."""
    for node in nodes:
        yield node, times
        for repeated, inner in node.inner:
            yield from visits_of(inner, times * repeated)


def runs_of(nodes: Iterable[ShapedNode]) -> Iterator[tuple[ShapedNode, int]]:
    """Yield every node that runs, also those in bodies, with the number of times that it runs."""
    return ((node, times) for node, times in visits_of(nodes) if not node.is_folded)


def given_inputs(values: Mapping[str, Value | None]) -> dict[str, Value]:
    """Return the inputs of a body that are given."""
    return {name: value for name, value in values.items() if value is not None}


def without_content(value: Value | None) -> Value | None:
    """Return a value as every repetition of a loop may take it: only its type and shape."""
    if value is None:
        return None
    if value.items is None:
        return replace(varying(value), content=None)
    return replace(value, items=tuple(filter(None, map(without_content, value.items))))


def varying(value: Value) -> Value:
    """Return a value as something that a runtime does not know when it loads the graph."""
    return replace(value, is_constant=False) if value.is_constant else value


def truth(value: Value | None) -> bool | None:
    """Return a condition; None when it is computed from data."""
    if value is None or value.content is None or value.content.size != 1:
        return None
    return bool(value.content.ravel()[0])


def flops_in(nodes: Iterable[ShapedNode]) -> int:
    """Return the FLOPs of nodes, without those that are unknown."""
    total = 0
    for node, times in runs_of(nodes):
        with suppress(UnknownCostError):
            total += times * flops_of(node)
    return total


def is_unknown(nodes: Iterable[ShapedNode]) -> bool:
    """Return whether anything about nodes is unknown."""
    return any(node.problem for node, _ in runs_of(nodes))
