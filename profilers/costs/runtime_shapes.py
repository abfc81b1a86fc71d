"""Shapes that ONNX cannot infer, asked of ONNX Runtime one node at a time.

ONNX Runtime knows the shapes of its own operators, and of branches and loops whose bodies take
values from the graph around them. A graph of the one node is opened, and nothing of it is run
but what is constant.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, helper, numpy_helper

from profilers.costs.values import ContradictionError, UnknownCostError, Value

_RANK = "rank of "  # prefix of an output that tells a scalar from a tensor of unknown rank


def outputs_of_runtime(
    node: NodeProto,
    taken: Mapping[str, Value],
    opsets: Sequence[OperatorSetIdProto],
    ir_version: int,
) -> list[Value]:
    """What ONNX Runtime says of each output of a node.

    Args:
        node: The node.
        taken: What is known of each value that the node or one of its bodies takes.
        opsets: The versions of operators that the graph is written in.
        ir_version: Of the model that the node is from.

    Raises:
        ContradictionError: The operator cannot take such shapes.
        UnknownCostError: The operator is unknown to ONNX Runtime, or has no kernel for processors.
    """
    if any(value.elem_type == TensorProto.UNDEFINED for value in taken.values()):
        raise UnknownCostError("the type of an input is unknown")
    known = _opened(_model_of(node, taken, opsets, ir_version))
    return [_value(name, known) for name in node.output]


def _model_of(
    node: NodeProto,
    taken: Mapping[str, Value],
    opsets: Sequence[OperatorSetIdProto],
    ir_version: int,
) -> ModelProto:
    """A model of one node, with another one for each output that counts its dimensions."""
    names = [name for name in node.output if name]
    counting = [helper.make_node("Shape", [name], [_RANK + name]) for name in names]
    graph = helper.make_graph(
        [node, *counting],
        "one node",
        [
            helper.make_tensor_value_info(name, value.elem_type, value.shape)
            for name, value in taken.items()
            if value.content is None
        ],
        [helper.make_empty_tensor_value_info(x) for name in names for x in (name, _RANK + name)],
        [
            numpy_helper.from_array(value.content, name)
            for name, value in taken.items()
            if value.content is not None
        ],
    )
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def _opened(model: ModelProto) -> dict[str, Any]:
    """The outputs of a model, by name, as a session describes them."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # must be set before the import
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # refusals are raised anyway
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # each kind of refusal has a class of its own, all private
        message = str(error).strip().splitlines()[-1]
        if "ShapeInferenceError" in message:
            raise ContradictionError(message.partition("ShapeInferenceError] ")[2]) from None
        raise UnknownCostError("this operator has no rule for its shapes") from None
    return {output.name: output for output in session.get_outputs()}


def _value(name: str, known: Mapping[str, Any]) -> Value:
    if not name:
        return Value(TensorProto.UNDEFINED, None)
    output = known[name]
    elem_type = TensorProto.DataType.Value(output.type[len("tensor(") : -1].upper())
    shape = tuple(size for size in output.shape if isinstance(size, int))
    is_known = known[_RANK + name].shape == [len(shape)] and len(shape) == len(output.shape)
    return Value(elem_type, shape if is_known else None)
