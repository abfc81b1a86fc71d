"""This module tells which nodes a runtime computes once, when it loads a graph.

These are ONNX's own operators all of whose inputs are constant, also within branches and loops.
ONNX Runtime and TensorRT fold them: each output becomes a weight, and no run computes it again.
They fold nothing random, no whole branch or loop, and no operator that is not ONNX's own. ONNX
Runtime keeps each DequantizeLinear, so that weights of few bits stay small, and whatever would give
more than fits into a file.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from profilers.costs.bodies import visits_of
from profilers.costs.node_outputs import RANDOM
from profilers.costs.operator_flops import flops_of
from profilers.costs.values import ShapedNode, UnknownCostError

_MOST_BYTES = (1 << 31) - 1  # of a protobuf message, and so of a weight within a graph


def as_loaded(node: ShapedNode) -> ShapedNode:
    """Return a node without bodies after a runtime has loaded it: folded where it can be."""
    is_constant = (
        (any(node.inputs) or node.op == "Constant")
        and all(value.is_constant for value in node.inputs if value)
        and not node.proto.domain
        and not _is_random(node)
        and node.op != "DequantizeLinear"
        and all(value.items is None for value in node.outputs)
        and sum(value.n_bytes or 0 for value in node.outputs) <= _MOST_BYTES
    )
    outputs = tuple(replace(value, is_constant=is_constant) for value in node.outputs)
    return replace(node, outputs=outputs, is_folded=is_constant and node.op != "Constant")


def folded_flops(nodes: Iterable[ShapedNode]) -> int:
    """Return the FLOPs of the nodes that are folded, each once, without those that are unknown."""
    flops = {}
    for node, _ in visits_of(nodes):
        if node.is_folded:
            with suppress(UnknownCostError):
                flops[id(node.proto)] = flops_of(node)
    return sum(flops.values())


def _is_random(node: ShapedNode) -> bool:
    if node.op == "Dropout":  # it only drops something in training
        training = node.inputs[2] if node.has_input(2) else None
        return training is not None and (training.content is None or bool(training.content.any()))
    return node.op in RANDOM
