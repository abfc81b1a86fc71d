"""This module follows branches, loops and scans: which nodes of their bodies run, and how often.

A branch whose condition is computed from data is counted as the cheaper of its two bodies, and a
loop whose number of repetitions is computed from data as none. Both are then said to be unknown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol

import numpy as np
from onnx import GraphProto, TensorProto

from profilers.costs.values import UNKNOWN, ShapedNode, UnknownCostError, Value

# A loop whose repetitions differ from each other is followed for so many of them.
_MOST_REPETITIONS = 256


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


def with_bodies(
    node: ShapedNode, infer: Callable[[], ShapedNode], follow: FollowsBody
) -> ShapedNode:
    """Return a branch, a loop or a scan with its outputs and with what runs inside its bodies.

    Args:
        node: The node.
        infer: A function that gives the node with its outputs. It may ask ONNX Runtime, which
            takes long, so it is called only when the bodies leave an output unknown.
        follow: A function that follows one of its bodies.
    """
    try:
        inside = _followed(node, follow)
    except UnknownCostError as error:
        return replace(infer(), problem=str(error))
    told = dict(zip(node.proto.output, inside.outputs, strict=False))
    if any(name and told.get(name, UNKNOWN).form is None for name in node.proto.output):
        node = infer()
    named = zip_longest(node.proto.output, node.outputs, inside.outputs)
    outputs = tuple(
        inner if inner is not None and inner.form is not None else (own or UNKNOWN)
        for name, own, inner in named
        if name is not None
    )
    if not _is_inlined(node):
        outputs = tuple(map(_varying, outputs))
    unknown = any(
        name and value.n_bytes is None
        for name, value in zip(node.proto.output, outputs, strict=True)
    )
    problem = inside.problem or (node.problem if unknown else "")
    misfits = [x.misfit for times, nodes in inside.inner if times for x in nodes if x.misfit]
    misfit = misfits[0] if misfits and inside.is_certain else ""
    return replace(node, outputs=outputs, problem=problem, misfit=misfit, inner=inside.inner)


def _followed(node: ShapedNode, follow: FollowsBody) -> Followed:
    """Return what runs inside a branch, a loop or a scan.

    Raises:
        UnknownCostError: It is another operator with bodies.
    """
    rule = {"If": _branch, "Loop": _loop, "Scan": _scan}.get(node.op)
    if rule is None:
        raise UnknownCostError("this operator has no rule")
    try:
        return rule(node, follow)
    except (IndexError, TypeError, ValueError) as error:
        if isinstance(error, UnknownCostError):
            raise
        raise UnknownCostError("its inputs or attributes do not fit the operator") from None


def _branch(node: ShapedNode, follow: FollowsBody) -> Followed:
    bodies = [node.attribute("then_branch"), node.attribute("else_branch")]
    chosen = _truth(node.inputs[0])
    if chosen is not None:
        nodes, outputs = follow(bodies[0 if chosen else 1], {})
        return Followed(((1, nodes),), outputs)
    sides = [follow(body, {}) for body in bodies]
    fitting = [side for side in sides if not any(node.misfit for node in side[0])]
    if len(fitting) == 1:  # the other one ends in an error, so a run that ends well takes this one
        return Followed(((1, fitting[0][0]),), fitting[0][1])
    (then, then_outputs), (other, other_outputs) = sides
    flops = _flops(then), _flops(other)
    inner = ((1, then if flops[0] <= flops[1] else other),)
    outputs = tuple(
        Value(a.elem_type, a.shape) if a.shape == b.shape and a.shape is not None else UNKNOWN
        for a, b in zip(then_outputs, other_outputs, strict=False)
    )
    problem = (
        f"which branch runs is computed from data: one takes {min(flops)} FLOPs, the other "
        f"{max(flops)}"
    )
    return Followed(inner, outputs, problem if flops[0] != flops[1] else "", is_certain=False)


def _loop(node: ShapedNode, follow: FollowsBody) -> Followed:
    body: GraphProto = node.attribute("body")
    names = [value.name for value in body.input]
    carried = list(node.inputs[2:])
    most = _count(node.inputs[0]) if node.has_input(0) else None
    goes_on = _truth(node.inputs[1]) if node.has_input(1) else True
    if goes_on is False or most == 0:
        return Followed((), _loop_outputs(node, carried, [], 0))
    bare = [_without_content(value) for value in carried]
    given = _given(dict(zip(names, [_ITERATION, _TRUE, *bare], strict=False)))
    nodes, outputs = follow(body, given)
    ends_by_itself = _truth(outputs[0]) is None
    ahead, scanned = outputs[1 : 1 + len(carried)], outputs[1 + len(carried) :]
    is_steady = all(a.form == (b and b.form) for a, b in zip(ahead, bare, strict=True))
    is_known = most is not None and goes_on is not None
    if is_known and any(x.misfit for x in nodes):
        return Followed(((most or 0, nodes),), (UNKNOWN,) * len(node.proto.output))
    if is_known and is_steady and not ends_by_itself and not _unknown(nodes):
        return Followed(((most or 0, nodes),), _loop_outputs(node, ahead, scanned, most or 0))
    unrolled = _unrolled(node, follow, most) if goes_on else None
    if unrolled is not None:
        return unrolled
    reason = "how often it repeats is computed from data"
    if is_known and not ends_by_itself:
        reason = f"its shapes change over {most} repetitions, which are too many to follow"
    problem = f"{reason}: one of them takes {_flops(nodes)} FLOPs"
    steady = [x or UNKNOWN for x in map(_without_content, ahead)] if is_steady else []
    n_unknown = len(node.proto.output) - len(steady)
    return Followed((), (*steady, *[UNKNOWN] * n_unknown)[: len(node.proto.output)], problem)


def _unrolled(node: ShapedNode, follow: FollowsBody, most: int | None) -> Followed | None:
    """Follow each repetition; return None when the end of the loop cannot be told."""
    body: GraphProto = node.attribute("body")
    names = [value.name for value in body.input]
    carried: Sequence[Value | None] = [value and _varying(value) for value in node.inputs[2:]]
    inner, scanned = [], []
    for number in range(_MOST_REPETITIONS):
        if number == most:
            break
        iteration = Value.of(np.asarray(number, np.int64))
        values = [iteration, _TRUE, *carried]
        nodes, outputs = follow(body, _given(dict(zip(names, values, strict=False))))
        inner.append((1, nodes))
        carried, scanned = outputs[1 : 1 + len(carried)], list(outputs[1 + len(carried) :])
        goes_on = _truth(outputs[0])
        if goes_on is None:
            return None
        if not goes_on:
            most = number + 1
            break
    if most is None or most != len(inner):
        return None
    return Followed(tuple(inner), _loop_outputs(node, carried, scanned, len(inner)))


def _loop_outputs(
    node: ShapedNode, carried: Sequence[Value | None], scanned: Sequence[Value], times: int
) -> tuple[Value, ...]:
    outputs = [value or UNKNOWN for value in carried]
    outputs += [
        Value(value.elem_type, None if value.shape is None else (times, *value.shape))
        for value in scanned
    ]
    n_missing = len(node.proto.output) - len(outputs)
    return tuple(outputs + [UNKNOWN] * n_missing)[: len(node.proto.output)]


def _scan(node: ShapedNode, follow: FollowsBody) -> Followed:
    body: GraphProto = node.attribute("body")
    n_scanned = int(node.attribute("num_scan_inputs"))
    n_states = len(body.input) - n_scanned
    if len(node.inputs) != len(body.input):
        raise UnknownCostError("this form of Scan, before opset 9, has no rule")
    axes = node.attribute("scan_input_axes") or [0] * n_scanned
    values: list[Value | None] = [_without_content(value) for value in node.inputs[:n_states]]
    times = 0
    for place, axis in zip(range(n_states, len(node.inputs)), axes, strict=True):
        sizes, given = list(node.in_shape(place)), node.inputs[place]
        times = sizes.pop(axis)
        values.append(Value(given.elem_type if given else 0, tuple(sizes)))
    names = [value.name for value in body.input]
    nodes, outputs = follow(body, _given(dict(zip(names, values, strict=True))))
    out_axes = node.attribute("scan_output_axes") or [0] * (len(outputs) - n_states)
    scanned = []
    for value, axis in zip(outputs[n_states:], out_axes, strict=False):
        shape = None if value.shape is None else list(value.shape)
        if shape is not None:
            shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, times)
        scanned.append(Value(value.elem_type, None if shape is None else tuple(shape)))
    return Followed(((times, nodes),), (*outputs[:n_states], *scanned))


_ITERATION = Value(TensorProto.INT64, ())
_TRUE = Value.of(np.asarray(True))


def _given(values: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def _without_content(value: Value | None) -> Value | None:
    if value is None or value.items is None:
        return None if value is None else replace(_varying(value), content=None)
    items = tuple(filter(None, map(_without_content, value.items)))
    return replace(value, items=items)


def _is_inlined(node: ShapedNode) -> bool:
    """Return whether a runtime knows which branch runs, and puts its nodes in place of the If."""
    condition = node.inputs[0] if node.inputs else None
    return node.op == "If" and condition is not None and condition.is_constant


def _varying(value: Value) -> Value:
    return replace(value, is_constant=False) if value.is_constant else value


def _truth(value: Value | None) -> bool | None:
    known = value is not None and value.content is not None and value.content.size == 1
    return bool(value.content.ravel()[0]) if known and value and value.content is not None else None


def _count(value: Value | None) -> int | None:
    """Return the number of repetitions; a negative one means none."""
    if value is None or value.content is None or value.content.size != 1:
        return None
    return max(0, int(value.content.ravel()[0]))


def _flops(nodes: Iterable[ShapedNode]) -> int:
    """Return the FLOPs of nodes, without those that are unknown."""
    from contextlib import suppress

    from profilers.costs.operator_flops import flops_of

    total = 0
    for node, times in runs_of(nodes):
        with suppress(UnknownCostError):
            total += times * flops_of(node)
    return total


def _unknown(nodes: Iterable[ShapedNode]) -> bool:
    return any(node.problem for node, _ in runs_of(nodes))
