"""Output shapes of ONNX Runtime's own operators, of which ONNX knows nothing."""

from collections.abc import Callable

import numpy as np
from onnx import NodeProto, TensorProto, TypeProto, defs, helper, shape_inference

from profilers.costs.fused_operators import (
    Shape,
    matmul_operands,
    multi_head_attention_shapes,
    projected_attention_shapes,
)
from profilers.costs.values import ContradictionError, ShapedNode, UnknownCostError, Value

_STANDARD_OPSET = 17  # of the operators that the fused ones extend


def contrib_outputs(node: ShapedNode) -> list[Value]:
    """What the operator gives, as its documentation says.

    Raises:
        UnknownCostError: The operator has no rule, or a shape that the rule needs is unknown.
    """
    rule = _RULES.get(node.op)
    if rule is None:
        raise UnknownCostError("this operator has no rule for its shapes")
    shapes = rule(node)[: len(node.proto.output)]
    typed = node.inputs[_INPUT_OF_THE_SAME_TYPE.get(node.op, 0)]
    elem_type = typed.elem_type if typed else TensorProto.UNDEFINED
    return [Value(elem_type, shape) for shape in shapes]


def _as_input(node: ShapedNode) -> tuple[Shape, ...]:
    return (node.in_shape(0),)


def _skip_norm(node: ShapedNode) -> tuple[Shape, ...]:
    """Output, mean, inverse deviation, and the sum of input and skip."""
    shape = node.in_shape(0)
    statistic = (*shape[:-1], 1)
    return shape, statistic, statistic, shape


def _broadcast(node: ShapedNode) -> tuple[Shape, ...]:
    """A quantised sum or product: each operand is followed by its scale and zero point."""
    try:
        return (np.broadcast_shapes(node.in_shape(0), node.in_shape(3)),)
    except ValueError as error:
        raise ContradictionError(str(error)) from None


def _matmul_n_bits(node: ShapedNode) -> tuple[Shape, ...]:
    return ((*node.in_shape(0)[:-1], int(node.attribute("N"))),)


def _fused_matmul(node: ShapedNode) -> tuple[Shape, ...]:
    plain = helper.make_node("MatMul", ["a", "b"], ["y"])
    return (_standard_shape(plain, matmul_operands(node)),)


def _as_standard(op: str, *attributes: str) -> Callable[[ShapedNode], tuple[Shape, ...]]:
    """As the standard operator that it extends by an activation or a scale."""

    def rule(node: ShapedNode) -> tuple[Shape, ...]:
        plain = helper.make_node(op, ["a", "b"], ["y"])
        plain.attribute.extend(x for x in node.proto.attribute if x.name in attributes)
        return (_standard_shape(plain, (node.in_shape(0), node.in_shape(1))),)

    return rule


def _standard_shape(node: NodeProto, operands: tuple[Shape, Shape]) -> Shape:
    types: dict[str, TypeProto] = {
        name: helper.make_tensor_type_proto(TensorProto.FLOAT, shape)
        for name, shape in zip(node.input, operands, strict=True)
    }
    schema = defs.get_schema(node.op_type, _STANDARD_OPSET, "")
    try:
        found = shape_inference.infer_node_outputs(schema, node, types)
    except shape_inference.InferenceError as error:
        raise ContradictionError(str(error).strip().splitlines()[-1]) from None
    return tuple(dim.dim_value for dim in found["y"].tensor_type.shape.dim)


# Where that is not the first: a scale or a zero point.
_INPUT_OF_THE_SAME_TYPE = {
    "com.microsoft.MatMulIntegerToFloat": 2,
    "com.microsoft.DequantizeLinear": 1,
    "com.microsoft.QuantizeLinear": 2,
}
_RULES: dict[str, Callable[[ShapedNode], tuple[Shape, ...]]] = {
    "SimplifiedLayerNormalization": _as_input,
    **dict.fromkeys(
        (
            "com.microsoft.BiasGelu",
            "com.microsoft.BiasSoftmax",
            "com.microsoft.DequantizeLinear",
            "com.microsoft.QuantizeLinear",
            "com.microsoft.FastGelu",
            "com.microsoft.Gelu",
            "com.microsoft.QuickGelu",
            "com.microsoft.RotaryEmbedding",
            "com.microsoft.SimplifiedLayerNormalization",
        ),
        _as_input,
    ),
    "com.microsoft.SkipLayerNormalization": _skip_norm,
    "com.microsoft.SkipSimplifiedLayerNormalization": _skip_norm,
    "com.microsoft.QLinearAdd": _broadcast,
    "com.microsoft.QLinearMul": _broadcast,
    "com.microsoft.FusedMatMul": _fused_matmul,
    "com.microsoft.TransposeMatMul": _fused_matmul,
    "com.microsoft.FusedGemm": _as_standard("Gemm", "transA", "transB"),
    "com.microsoft.FusedConv": _as_standard(
        "Conv", "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"
    ),
    "com.microsoft.MatMulIntegerToFloat": _as_standard("MatMul"),
    "com.microsoft.DynamicQuantizeMatMul": _as_standard("MatMul"),
    "com.microsoft.MatMulNBits": _matmul_n_bits,
    "com.microsoft.Attention": projected_attention_shapes,
    "com.microsoft.MultiHeadAttention": multi_head_attention_shapes,
}
