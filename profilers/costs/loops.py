"""This module follows loops and scans: how often a body runs, and with which shapes."""

from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, TensorProto

from profilers.costs.bodies import (
    Followed,
    FollowsBody,
    flops_in,
    given_inputs,
    is_unknown,
    truth,
    varying,
    without_content,
)
from profilers.costs.values import UNKNOWN, ShapedNode, UnknownCostError, Value

# A loop whose repetitions differ from each other is followed for so many of them.
_MOST_REPETITIONS = 256
_ITERATION = Value(TensorProto.INT64, ())
_TRUE = Value.of(np.asarray(True))


def loop(node: ShapedNode, follow: FollowsBody) -> Followed:
    """Return what runs inside a Loop."""
    body: GraphProto = node.attribute("body")
    names = [value.name for value in body.input]
    carried = list(node.inputs[2:])
    most = _count(node.inputs[0]) if node.has_input(0) else None
    goes_on = truth(node.inputs[1]) if node.has_input(1) else True
    if goes_on is False or most == 0:
        return Followed((), _loop_outputs(node, carried, [], 0))
    bare = [without_content(value) for value in carried]
    given = given_inputs(dict(zip(names, [_ITERATION, _TRUE, *bare], strict=False)))
    nodes, outputs = follow(body, given)
    ends_by_itself = truth(outputs[0]) is None
    ahead, scanned = outputs[1 : 1 + len(carried)], outputs[1 + len(carried) :]
    is_steady = all(a.form == (b and b.form) for a, b in zip(ahead, bare, strict=True))
    is_known = most is not None and goes_on is not None
    if is_known and any(x.misfit for x in nodes):
        return Followed(((most or 0, nodes),), (UNKNOWN,) * len(node.proto.output))
    if is_known and is_steady and not ends_by_itself and not is_unknown(nodes):
        return Followed(((most or 0, nodes),), _loop_outputs(node, ahead, scanned, most or 0))
    unrolled = _unrolled(node, follow, most) if goes_on else None
    if unrolled is not None:
        return unrolled
    reason = "how often it repeats is computed from data"
    if is_known and not ends_by_itself:
        reason = f"its shapes change over {most} repetitions, which are too many to follow"
    problem = f"{reason}: one of them takes {flops_in(nodes)} FLOPs"
    steady = [x or UNKNOWN for x in map(without_content, ahead)] if is_steady else []
    n_unknown = len(node.proto.output) - len(steady)
    return Followed((), (*steady, *[UNKNOWN] * n_unknown)[: len(node.proto.output)], problem)


def _unrolled(node: ShapedNode, follow: FollowsBody, most: int | None) -> Followed | None:
    """Follow each repetition; return None when the end of the loop cannot be told."""
    body: GraphProto = node.attribute("body")
    names = [value.name for value in body.input]
    carried: Sequence[Value | None] = [value and varying(value) for value in node.inputs[2:]]
    inner, scanned = [], []
    for number in range(_MOST_REPETITIONS):
        if number == most:
            break
        iteration = Value.of(np.asarray(number, np.int64))
        values = [iteration, _TRUE, *carried]
        nodes, outputs = follow(body, given_inputs(dict(zip(names, values, strict=False))))
        inner.append((1, nodes))
        carried, scanned = outputs[1 : 1 + len(carried)], list(outputs[1 + len(carried) :])
        goes_on = truth(outputs[0])
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


def scan(node: ShapedNode, follow: FollowsBody) -> Followed:
    """Return what runs inside a Scan."""
    body: GraphProto = node.attribute("body")
    n_scanned = int(node.attribute("num_scan_inputs"))
    n_states = len(body.input) - n_scanned
    if len(node.inputs) != len(body.input):
        raise UnknownCostError("this form of Scan, before opset 9, has no rule")
    axes = node.attribute("scan_input_axes") or [0] * n_scanned
    values: list[Value | None] = [without_content(value) for value in node.inputs[:n_states]]
    times = 0
    for place, axis in zip(range(n_states, len(node.inputs)), axes, strict=True):
        sizes, given = list(node.in_shape(place)), node.inputs[place]
        times = sizes.pop(axis)
        values.append(Value(given.elem_type if given else 0, tuple(sizes)))
    names = [value.name for value in body.input]
    nodes, outputs = follow(body, given_inputs(dict(zip(names, values, strict=True))))
    out_axes = node.attribute("scan_output_axes") or [0] * (len(outputs) - n_states)
    scanned = []
    for value, axis in zip(outputs[n_states:], out_axes, strict=False):
        shape = None if value.shape is None else list(value.shape)
        if shape is not None:
            shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, times)
        scanned.append(Value(value.elem_type, None if shape is None else tuple(shape)))
    return Followed(((times, nodes),), (*outputs[:n_states], *scanned))


def _count(value: Value | None) -> int | None:
    """Return the number of repetitions; a negative one means none."""
    if value is None or value.content is None or value.content.size != 1:
        return None
    return max(0, int(value.content.ravel()[0]))
