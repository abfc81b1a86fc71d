import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from profilers.costs.runtime_shapes import computed_outputs, described_outputs
from profilers.costs.values import ContradictionError, UnknownCostError, Value

HEADER = ModelProto(
    ir_version=8,
    opset_import=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
)


def of_runtime(op: str, inputs: list[str], outputs: list[str], **attributes: object) -> NodeProto:
    return helper.make_node(op, inputs, outputs, domain="com.microsoft", **attributes)


def test_an_output_that_is_left_out_is_unknown() -> None:
    node = of_runtime("SkipLayerNormalization", ["x", "x", "g"], ["y", "", "", "sum"])
    taken = {"x": Value.of_type("float32", (2, 3, 4)), "g": Value.of_type("float32", (4,))}
    shapes = [value.shape for value in described_outputs(node, taken, HEADER)]
    assert shapes == [(2, 3, 4), None, None, (2, 3, 4)]


def test_a_scalar_is_not_a_tensor_of_unknown_rank() -> None:
    reduced = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    (scalar,) = described_outputs(reduced, {"x": Value.of_type("float32", (2, 3))}, HEADER)
    assert scalar.shape == ()
    reshaped = helper.make_node("Reshape", ["x", "size"], ["y"])
    taken = {"x": Value.of_type("float32", (2, 3)), "size": Value(TensorProto.INT64, None)}
    (unknown,) = described_outputs(reshaped, taken, HEADER)
    assert (unknown.elem_type, unknown.shape) == (TensorProto.FLOAT, None)


def test_known_contents_are_computed_and_few_are_kept() -> None:
    node = helper.make_node("Expand", ["x", "size"], ["y"])
    for n_rows, is_kept in ((4, True), (2000, False)):
        taken = {"x": Value.of(np.ones(1, "float32")), "size": Value.of(np.array([n_rows]))}
        (value,) = computed_outputs(node, taken, HEADER)
        assert (value.shape, value.content is not None) == ((n_rows,), is_kept)


def test_shapes_that_an_operator_cannot_take_are_a_contradiction() -> None:
    node = of_runtime("FusedMatMul", ["a", "b"], ["y"])
    taken = {name: Value.of_type("float32", (3, 5)) for name in "ab"}
    with pytest.raises(ContradictionError, match="Incompatible dimensions"):
        described_outputs(node, taken, HEADER)


def test_an_operator_that_is_unknown_has_no_rule() -> None:
    with pytest.raises(UnknownCostError, match="no rule for its shapes"):
        described_outputs(
            of_runtime("Magic", ["x"], ["y"]), {"x": Value.of_type("int8", (1,))}, HEADER
        )


def test_what_cannot_be_run_is_unknown() -> None:
    node = helper.make_node("Reshape", ["x", "size"], ["y"])
    taken = {"x": Value.of(np.ones(3, "float32")), "size": Value.of(np.array([2]))}
    with pytest.raises(UnknownCostError):
        computed_outputs(node, taken, HEADER)
