"""This module infers the outputs of one node from its inputs.

ONNX infers its own operators, ONNX Runtime those that ONNX does not describe. A node that computes
a shape, such as a slice of one or a range, is run.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    checker,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from profilers.costs.contributed_operators import described_by_rule
from profilers.costs.misfits import misfit_of
from profilers.costs.runtime_shapes import computed_outputs, described_outputs, tried_outputs
from profilers.costs.sequences import outputs_by_sequence
from profilers.costs.values import (
    UNKNOWN,
    ContradictionError,
    ShapedNode,
    UnknownCostError,
    Value,
    declared_value,
    named_inputs,
)
from profilers.workload.runtime import newest_opset
from profilers.workload.subgraphs import has_bodies

_RANDOM_NAMES = """
    Bernoulli Dropout Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike
"""
RANDOM = frozenset(_RANDOM_NAMES.split())
# Operators whose output is as large as what they find in the data.
DECIDED_BY_DATA = frozenset(
    (
        *("Compress", "NonMaxSuppression", "NonZero"),
        *("StringNormalizer", "StringSplit", "Unique"),
    )
)
_KNOWN_IR_VERSION = 8  # that of every release of ONNX Runtime
# ONNX raises these when an operator cannot take the shapes, the number or the types of its inputs.
_REFUSALS = (shape_inference.InferenceError, checker.ValidationError, RuntimeError, ValueError)


class OutputRules:
    """The rules by which the outputs of a graph's nodes follow from their inputs.

    Args:
        versions: The version of the operators of each domain.
        ir_version: The version of the file's format.
    """

    def __init__(self, versions: Mapping[str, int], ir_version: int) -> None:
        self._versions = versions
        self._header = _header(versions, ir_version)

    def fitting_outputs(self, node: ShapedNode, captured: Mapping[str, Value]) -> list[Value]:
        """Return the outputs of a node. ONNX Runtime decides where its inputs seem not to fit.

        Raises:
            ContradictionError: They do not fit.
            UnknownCostError: The outputs cannot be told.
        """
        try:
            node = replace(node, outputs=tuple(self._outputs(node, captured)))
            reason = misfit_of(node)
        except ContradictionError as error:
            reason = str(error)
        if not reason or has_bodies(node.proto):
            return list(node.outputs)
        try:
            return tried_outputs(node, self._header)
        except UnknownCostError as error:
            if node.outputs and not isinstance(error, ContradictionError):
                return list(node.outputs)  # ONNX sees nothing wrong, and the judge cannot be asked
            raise ContradictionError(reason) from None

    def _outputs(self, node: ShapedNode, captured: Mapping[str, Value]) -> list[Value]:
        if node.op in ("Shape", "Size"):
            return [Value.of(_measured(node))]
        if (by_sequence := outputs_by_sequence(node)) is not None:
            return by_sequence
        taken = named_inputs(node)
        schema = self._schema(node.proto)
        if schema is None:
            by_rule = described_by_rule(node)
            if by_rule is not None:
                return by_rule
            return described_outputs(node.proto, {**taken, **captured}, self._header)
        inferred = self._inferred(node, schema)
        if _is_computable(node, inferred):
            try:
                if _is_bounded(node, inferred):
                    return computed_outputs(node.proto, taken, self._header)
                return tried_outputs(replace(node, outputs=tuple(inferred)), self._header)
            except ContradictionError:
                raise
            except UnknownCostError:
                pass
        return inferred

    def _schema(self, proto: NodeProto) -> defs.OpSchema | None:
        """Return ONNX's description of an operator; None when ONNX cannot infer its shapes."""
        domain, version = proto.domain, self._versions.get(proto.domain, 0)
        if has_bodies(proto) or not version or not defs.has(proto.op_type, version, domain):
            return None
        return defs.get_schema(proto.op_type, version, domain)

    def _inferred(self, node: ShapedNode, schema: defs.OpSchema) -> list[Value]:
        named = named_inputs(node)
        if any(value.elem_type == 0 for value in named.values()):
            raise UnknownCostError("the type of an input is unknown")
        contents = {
            name: numpy_helper.from_array(value.content)
            for name, value in named.items()
            if value.content is not None
        }
        try:
            types = shape_inference.infer_node_outputs(
                schema,
                node.proto,
                {x: helper.make_tensor_type_proto(y.elem_type, y.shape) for x, y in named.items()},
                contents,
                opset_imports=list(self._header.opset_import),
                ir_version=self._header.ir_version,
            )
        except _REFUSALS as error:
            last = str(error).strip().splitlines()[-1]
            reason = re.split(r"\[\w+Error\] ", last)[-1]
            raise ContradictionError(reason.rstrip(".")) from None
        for name in node.proto.output:
            if name in types and types[name].WhichOneof("value") != "tensor_type":
                raise UnknownCostError(f"its output '{name}' is not a tensor, which has no rule")
            if name in types and any(x.dim_value < 0 for x in types[name].tensor_type.shape.dim):
                raise ContradictionError(f"its output '{name}' would have a negative size")
        outputs = [
            declared_value(types[name].tensor_type, {}, is_inferred=True)
            if name in types
            else UNKNOWN
            for name in node.proto.output
        ]
        if node.op == "Compress":
            outputs = [_compressed(node, outputs[0])]
        if node.op == "Dropout" and len(outputs) == 2 and outputs[1].shape is None:
            outputs[1] = outputs[0]  # before opset 12 ONNX infers nothing about the mask
        if node.op == "MaxUnpool" and node.has_input(2):
            outputs[0] = _with_shape_of(node.inputs[2], outputs[0])  # ONNX does not look at it
        return outputs


def _header(versions: Mapping[str, int], ir_version: int) -> ModelProto:
    """Return a model without a graph, which ONNX Runtime takes although a graph is newer."""
    newest = newest_opset()
    opsets = [
        helper.make_opsetid(domain, version if domain else min(version, newest))
        for domain, version in versions.items()
    ]
    return ModelProto(ir_version=min(ir_version, _KNOWN_IR_VERSION), opset_import=opsets)


def _is_computable(node: ShapedNode, inferred: list[Value]) -> bool:
    """Return whether all inputs are known, the outputs are small, and nothing is random."""
    known = all(value.content is not None for value in named_inputs(node).values())
    return known and node.op not in RANDOM and not any(x.is_large for x in inferred)


def _is_bounded(node: ShapedNode, inferred: list[Value]) -> bool:
    """Return whether the outputs cannot be large: their size is known, or that of the inputs."""
    named = zip(node.proto.output, inferred, strict=True)
    is_sized = all(value.shape is not None for name, value in named if name)
    return is_sized or node.op in DECIDED_BY_DATA


def _compressed(node: ShapedNode, value: Value) -> Value:
    """Return the output of a Compress, which keeps the slices where its condition is true."""
    condition, axis = node.inputs[1], node.attribute("axis")
    if condition is None or condition.content is None:
        return value
    shape = list(node.in_shape(0)) if axis is not None else [prod(node.in_shape(0))]
    place = int(axis or 0) % len(shape)
    shape[place] = int(np.count_nonzero(condition.content[: shape[place]]))
    return Value(value.elem_type, tuple(shape))


def _with_shape_of(size: Value | None, value: Value) -> Value:
    """Return a value with the shape that another value holds, if that is known."""
    if size is None or size.content is None or value.elem_type == TensorProto.UNDEFINED:
        return value
    shape = tuple(size.content.ravel().tolist())
    return Value(value.elem_type, shape) if min(shape, default=0) >= 0 else value


def _measured(node: ShapedNode) -> NDArray[Any]:
    shape = node.in_shape(0)
    if node.proto.op_type == "Size":
        return np.asarray(np.prod(shape, dtype=np.int64))
    return np.asarray(shape[node.attribute("start", 0) : node.attribute("end")], np.int64)
