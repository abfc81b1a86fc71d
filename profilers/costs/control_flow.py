"""This module follows branches and loops: which nodes of their bodies run, and how often.

A branch whose condition is computed from data is counted as the cheaper of its two bodies, and a
loop whose number of repetitions is computed from data as none. Both are then said to be unknown.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest

from onnx import GraphProto

from profilers.costs.bodies import Followed, FollowsBody, flops_in, given_inputs, truth, varying
from profilers.costs.loops import loop, scan
from profilers.costs.values import UNKNOWN, ShapedNode, UnknownCostError, Value


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
        outputs = tuple(map(varying, outputs))
    unknown = any(
        name and value.n_bytes is None
        for name, value in zip(node.proto.output, outputs, strict=True)
    )
    problem = inside.problem or (node.problem if unknown else "")
    misfits = [x.misfit for times, nodes in inside.inner if times for x in nodes if x.misfit]
    misfit = misfits[0] if misfits and inside.is_certain else ""
    return replace(node, outputs=outputs, problem=problem, misfit=misfit, inner=inside.inner)


def _followed(node: ShapedNode, follow: FollowsBody) -> Followed:
    """Return what runs inside a branch, a loop, a scan or a map over a sequence.

    Raises:
        UnknownCostError: It is another operator with bodies.
    """
    rule = {"If": _branch, "Loop": loop, "Scan": scan, "SequenceMap": _map}.get(node.op)
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
    chosen = truth(node.inputs[0])
    if chosen is not None:
        nodes, outputs = follow(bodies[0 if chosen else 1], {})
        return Followed(((1, nodes),), outputs)
    sides = [follow(body, {}) for body in bodies]
    fitting = [side for side in sides if not any(node.misfit for node in side[0])]
    if len(fitting) == 1:  # the other one ends in an error, so a run that ends well takes this one
        return Followed(((1, fitting[0][0]),), fitting[0][1])
    (then, then_outputs), (other, other_outputs) = sides
    flops = flops_in(then), flops_in(other)
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


def _map(node: ShapedNode, follow: FollowsBody) -> Followed:
    """Follow the body for each item of the first sequence. What is no sequence stays the same."""
    body: GraphProto = node.attribute("body")
    names = [value.name for value in body.input]
    first = node.inputs[0]
    if first is None or first.items is None:
        raise UnknownCostError("what its sequence holds is unknown")
    inner, outputs = [], []
    for place in range(len(first.items)):
        values = [
            value if value is None or value.items is None else varying(value.items[place])
            for value in node.inputs
        ]
        nodes, made = follow(body, given_inputs(dict(zip(names, values, strict=True))))
        inner.append((1, nodes))
        outputs.append(made)
    sequences = zip(*outputs, strict=True) if outputs else ((),) * len(node.proto.output)
    return Followed(tuple(inner), tuple(Value(0, None, items=tuple(x)) for x in sequences))


def _is_inlined(node: ShapedNode) -> bool:
    """Return whether a runtime knows which branch runs, and puts its nodes in place of the If."""
    condition = node.inputs[0] if node.inputs else None
    return node.op == "If" and condition is not None and condition.is_constant
