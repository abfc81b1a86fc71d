"""This module asks ONNX Runtime for the outputs of a single node: their shapes or their contents.

ONNX Runtime knows the shapes of its own operators, which ONNX does not know. It also knows those
of branches and loops whose bodies take values from the graph around them. For each question it
opens a model that has only this node.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from profilers.costs.trial import (
    Description,
    Descriptions,
    described,
    descriptions_of,
    tried,
)
from profilers.costs.values import (
    UNKNOWN,
    ContradictionError,
    ShapedNode,
    UnknownCostError,
    Value,
    named_inputs,
)
from profilers.workload.runtime import opened_session
from profilers.workload.subgraphs import MAX_KNOWN_ELEMENTS, has_bodies
from profilers.workload.workload import DTYPES

_RANK = "rank of "  # the prefix of an output that tells a scalar from a tensor of unknown rank
_MOST_TRIED_BYTES = 1 << 31  # of all inputs and outputs of a node
# Words of a kernel that fails for another reason than its inputs.
_NOT_OF_INPUTS = ("support", "implement")
_OF_MEMORY = ("llocate", "bad_alloc")
_TOO_LARGE = "its tensors are too large to be tried"


def described_outputs(
    node: NodeProto, taken: Mapping[str, Value], header: ModelProto
) -> list[Value]:
    """Return the types and shapes of a node's outputs, without running the node.

    Where a branch, a loop or constants leave a shape unknown, what is constant is computed, in a
    process of its own.

    Args:
        node: The node.
        taken: The values that the node or one of its bodies takes, by name.
        header: A model without a graph, with the operator versions of the node's graph.

    Raises:
        ContradictionError: The operator cannot take such shapes.
        UnknownCostError: ONNX Runtime does not know the operator, or has no CPU kernel for it.
    """
    if any(value.elem_type == TensorProto.UNDEFINED for value in taken.values()):
        raise UnknownCostError("the type of an input is unknown")
    names = [name for name in node.output if name]
    ranks = [helper.make_node("Shape", [name], [_RANK + name]) for name in names]
    outputs = [*names, *(_RANK + name for name in names)]
    model = _model([node, *ranks], taken, outputs, header)
    values = _described_values(node, descriptions_of(_opened(model)))
    named = zip(node.output, values, strict=True)
    is_whole = all(value.shape is not None for name, value in named if name)
    is_constant = all(value.content is not None for value in taken.values())
    if is_whole or not (has_bodies(node) or is_constant):
        return values
    try:
        return _described_values(node, described(model))
    except UnknownCostError:
        return values


def _described_values(node: NodeProto, outputs: Descriptions) -> list[Value]:
    return [
        _described(outputs[name], outputs[_RANK + name]) if name else UNKNOWN
        for name in node.output
    ]


def computed_outputs(
    node: NodeProto, taken: Mapping[str, Value], header: ModelProto
) -> list[Value]:
    """Run a node whose inputs are all known, and return its outputs.

    Args:
        node: The node.
        taken: The inputs of the node, by name.
        header: A model without a graph, as in `described_outputs`.

    Raises:
        ContradictionError: The operator cannot take such contents.
        UnknownCostError: ONNX Runtime has no kernel for it.
    """
    session = _opened(_model([node], taken, filter(None, node.output), header))
    try:
        contents = iter(session.run(None, {}))
    except Exception as error:  # each kind of failure has its own private class
        raise _refusal(str(error)) from None
    return [Value.of(np.asarray(next(contents))) if name else UNKNOWN for name in node.output]


def tried_outputs(node: ShapedNode, header: ModelProto) -> list[Value]:
    """Run a node in a process of its own, and return what is known of its outputs then.

    This is for inputs that may not fit each other, and for outputs of unknown size. ONNX Runtime is
    the judge, because some of its kernels take more than ONNX describes. Contents that are not
    known are ones, because a kernel may divide by them. Large numbers of floating point are zeros:
    memory of zeros is not really used before somebody writes to it.

    Args:
        node: The node, with its outputs as far as they are known.
        header: A model without a graph, as in `described_outputs`.

    Raises:
        ContradictionError: ONNX Runtime refuses the inputs.
        UnknownCostError: It cannot be asked: it has no kernel, or the tensors are too large or of
            a type that cannot be fed, or it takes too long.
    """
    taken = named_inputs(node)
    given = [value.n_bytes for value in taken.values()]
    made = [value.n_bytes for value in node.outputs]
    if None in given or sum(filter(None, (*given, *made))) > _MOST_TRIED_BYTES:
        raise UnknownCostError(_TOO_LARGE)
    shapeless = {name: Value(value.elem_type, None) for name, value in taken.items()}
    names = node.proto.output
    model = _model([node.proto], shapeless, filter(None, names), header)
    answer = tried(model, {name: _feed(value) for name, value in taken.items()})
    if "error" in answer:
        raise _refusal(answer["error"])
    is_known = all(value.content is not None for value in taken.values())
    outputs = (_answered(*output, is_known=is_known) for output in answer["outputs"])
    return [next(outputs) if name else UNKNOWN for name in names]


def _answered(
    dtype: str, shape: Sequence[int], elements: Sequence[float] | None, *, is_known: bool
) -> Value:
    """Return an output, with its elements where all inputs were known."""
    if elements is None or not is_known:
        return Value.of_type(dtype, tuple(shape))
    return Value.of(np.asarray(elements, dtype).reshape(shape))


def _feed(value: Value) -> tuple[str, tuple[int, ...], list[Any]]:
    """Return the type, the shape and the elements of an input: all, or one for all."""
    shape, dtype = value.shape or (), helper.tensor_dtype_to_np_dtype(value.elem_type)
    if dtype.name not in DTYPES:
        raise UnknownCostError("an input has a type that cannot be fed")
    if value.content is not None:
        return dtype.name, shape, value.content.ravel().tolist()
    is_large = dtype.kind == "f" and prod(shape) > MAX_KNOWN_ELEMENTS
    return dtype.name, shape, [0 if is_large else 1]


def _refusal(text: str) -> UnknownCostError:
    """Return what it means that ONNX Runtime refuses to run a node with this text."""
    if any(x in text for x in _OF_MEMORY):
        return UnknownCostError(_TOO_LARGE)
    _, is_of_node, reason = " ".join(text.split()).rpartition("Status Message: ")
    if not is_of_node or any(x in reason for x in _NOT_OF_INPUTS):
        return UnknownCostError("ONNX Runtime cannot run it")
    return ContradictionError(reason.rpartition(" was false. ")[2].rstrip("."))


def _model(
    nodes: Sequence[NodeProto],
    taken: Mapping[str, Value],
    outputs: Iterable[str],
    header: ModelProto,
) -> ModelProto:
    """Return a model of the nodes. Known contents become weights, all other values inputs."""
    inputs = [
        helper.make_tensor_value_info(name, value.elem_type, value.shape)
        for name, value in taken.items()
        if value.content is None
    ]
    weights = [
        numpy_helper.from_array(value.content, name)
        for name, value in taken.items()
        if value.content is not None
    ]
    published = [helper.make_empty_tensor_value_info(name) for name in outputs]
    model = ModelProto(graph=helper.make_graph(nodes, "node", inputs, published, weights))
    model.MergeFrom(header)
    return model


def _opened(model: ModelProto) -> Any:
    try:
        return opened_session(model, optimises=False)
    except Exception as error:  # each kind of refusal has its own private class
        _, refused, reason = str(error).strip().rpartition("[ShapeInferenceError] ")
        if refused:
            raise ContradictionError(reason.splitlines()[0].rstrip(".")) from None
        raise UnknownCostError("this operator has no rule for its shapes") from None


def _described(output: Description, rank: Description) -> Value:
    """Return ONNX Runtime's description of an output as a value.

    A scalar and a tensor of unknown rank have the same description. The rank tells them apart.
    """
    kind, sizes = output
    elem_type = TensorProto.DataType.Value(kind[len("tensor(") : -1].upper())
    shape = tuple(size for size in sizes if isinstance(size, int))
    is_known = len(shape) == len(sizes) and rank[1] == [len(shape)]
    return Value(elem_type, shape if is_known else None)
