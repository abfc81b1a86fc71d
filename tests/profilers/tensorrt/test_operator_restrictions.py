"""What is refused of an operator, as onnx-tensorrt's support matrices and changelog say."""

import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, ValueInfoProto, helper
from support.graphs import write_graph

from profilers.tensorrt.lint import lint_graph
from profilers.tensorrt.rtx_parser import missing_parser, parser_verdict

ALL, OLD = ["8.5", "8.6", "10", "11", "rtx"], ["8.5", "8.6"]


def cast(kind: str, number: int) -> str:
    """A graph that computes a tensor of a type and casts it back."""
    return (
        f"g (float[2] x) => (float[2] y) {{ m = Cast <to = {number}> (x) y = Cast <to = 1> (m) }}"
    )


def convolution(n_axes: int) -> str:
    size = "1, 1" + ", 3" * n_axes
    return f"g (float[{size}] x, float[{size}] w) => (float[{size}] y) {{ y = Conv(x, w) }}"


# The graph, the dialects that refuse it, and a part of the reason.
REFUSED = [
    ("g (string[2] x) => (float[2] y) { y = Cast <to = 1> (x) }", ALL, "'x' is STRING, which"),
    ("g (uint16[2] x) => (uint16[2] y) { y = Add(x, x) }", ALL, "'x' is UINT16, which"),
    ("g (int16[2] x) => (int16[2] y) { y = Neg(x) }", ALL, "'x' is INT16, which TensorRT does not"),
    ("g (complex64[2] x) => (complex64[2] y) { y = Identity(x) }", ALL, "'x' is COMPLEX64, which"),
    (cast("UINT64", 13), ALL, "'m' is UINT64, which TensorRT does not take"),
    (cast("BFLOAT16", 16), OLD, "'m' is BFLOAT16, which TensorRT takes since 9.0 only"),
    (cast("UINT8", 2), ALL, "'m' is UINT8, which is taken in inputs and outputs of the graph"),
    ("g (uint8[2] x) => (float[2] y) { y = Cast <to = 1> (x) }", [], ""),
    ("g (uint8[2] x) => (uint8[2] y) { y = Add(x, x) }", ALL, "must be one of FLOAT, .* not UINT8"),
    ("g (bool[2] x) => (bool[2] y) { y = Add(x, x) }", ALL, "must be one of .* not BOOL; cast it"),
    ("g (int32[2] x) => (int32[2] y) { y = Erf(x) }", ALL, "must be floating point, not INT32"),
    ("g (int32[2] x) => (int32[2] y) { y = Max(x, x) }", [], ""),
    ("g (int64[2, 3] x) => (int64[2, 1] y) { y = ArgMax(x) }", ["8.5"], "floating point, not INT6"),
    (convolution(3), [], ""),
    (convolution(1), [], ""),
    (convolution(4), ALL, "4 spatial axes, at most 3 are taken"),
    (
        "g (float[1,1,4,4] x) => (float[1,1,3,3] y, int64[1,1,3,3] i) "
        "{ y, i = MaxPool <kernel_shape = [2, 2]> (x) }",
        ALL,
        "only its first output is taken, not 'i'",
    ),
    (
        "g (float[1,1,4,4] x) => (float[1,1,2,2] y) "
        "{ y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x) }",
        ALL,
        "its 'dilations' must all be 1",
    ),
    (
        "g (float[2,3,4] x, float[2,4,5] z) => (float[2,3,5] y) "
        '{ y = Einsum <equation = "...ij,...jk->...ik"> (x, z) }',
        OLD,
        "has an ellipsis, which 8.x does not take",
    ),
    (
        'g (float[3,3] x) => (float[3] y) { y = Einsum <equation = "ii->i"> (x) }',
        OLD,
        "takes a diagonal, which 8.x does not",
    ),
    (
        'g (float[2,3] x) => (float[3,2] y) { y = Einsum <equation = "IJ->JI"> (x) }',
        ALL,
        "must consist of small letters",
    ),
    (
        "g (float[4] x, int64[2,1] i, float[2] u) => (float[4] y) "
        '{ y = ScatterND <reduction = "add"> (x, i, u) }',
        ALL,
        "its reduction 'add' is not taken",
    ),
    (
        "g (float[4] x, int64[2] i, float[2] u) => (float[4] y) "
        '{ y = ScatterElements <reduction = "add"> (x, i, u) }',
        [*OLD, "rtx"],
        "its reduction 'add' is not taken",
    ),
    (
        "g (float[1,1,9] x) => (float[1,1,8] y) { y = LpPool <kernel_shape = [2], p = 3> (x) }",
        ALL,
        "'p' must be 2 or 1",
    ),
    (
        "g (float[2,3] x) => (float[2,3] y) <float[3] s = {1, 1, 1}> "
        "{ y, mean = LayerNormalization(x, s) }",
        ALL,
        "only its first output is taken|since 8.6 only",
    ),
    (
        "g (float[2,3] x, int64[1] a) => (float[2,1] y) { y = ReduceSum(x, a) }",
        ALL,
        "axes must be a",
    ),
    (
        "g (float[1,1,2,2] x, float[4] s) => (float[a,b,c,d] y) { y = Resize(x, , s) }",
        ALL,
        "its input 's' must not be an input of the graph",
    ),
    (
        "g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> "
        '{ y = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (x, , s) }',
        ALL,
        "coordinate_transformation_mode 'tf_crop_and_resize' is not taken",
    ),
    ("g (float[3] x) => (float[3] y) { y = Softmax(x) }", ALL, "must have 2 to 8 axes. Got 1"),
    ("g (float[2,3] x) => (float[2,3] y) { y = Softmax(x) }", [], ""),
    ("g (float[1,9,4,4] x) => (float[1,9,4,4] y) { y = LRN <size = 4> (x) }", ALL, "must be odd"),
    (
        f"g (float[{', '.join('1' * 9)}] x) => (float[{', '.join('1' * 9)}] y) {{ y = Relu(x) }}",
        ALL,
        "'x' has 9 axes, at most 8 are taken",
    ),
    (
        "g (bool go, float[2] x) => (float[2] y, float[n, 2] all) { y, all = Loop <body = b "
        "(int64 i, bool c, float[2] v) => (bool d, float[2] w, float[2] s) "
        "{ d = Identity(c) w = Relu(v) s = Relu(v) }> ( , go, x) }",
        ["10", "11", "rtx"],
        "it must have a number of repetitions|so it must have a number of repetitions",
    ),
    ("g (float[2] x) => (float[2] y) { y = Mod(x, x) }", ALL, "'fmod' must be 1 for floating po"),
    ("g (float[2] x) => (float[2] y) { y = Mod <fmod = 1> (x, x) }", [], ""),
    (
        "g (float a, float b, float c) => (float[n] y) { y = Range(a, b, c) }",
        ALL,
        "computed from da",
    ),
    (
        "g (int32 n) => (float[m] y) <float a = {0}, float d = {1}> "
        "{ b = Cast <to = 1> (n) y = Range(a, b, d) }",
        OLD,
        "computed from data",
    ),
    (
        "g (float[n] x) => (float[n] y) <float a = {0}, float d = {1}> "
        "{ s = Size(x) b = Cast <to = 1> (s) y = Range(a, b, d) }",
        [],
        "",
    ),
    (
        "g () => (float[2] y) { y = RandomNormal <shape = [2], dtype = 11> () }",
        ALL,
        "must be FLOAT or",
    ),
]


@pytest.mark.parametrize(("text", "dialects", "reason"), REFUSED)
def test_a_dialect_refuses_what_its_matrix_says(
    tmp_path: Path, text: str, dialects: list[str], reason: str
) -> None:
    path = write_graph(tmp_path / "g.onnx", text)
    for name in ALL:
        refusals = [x for x in lint_graph(path, name) if x.severity == "refusal"]
        assert len(refusals) == (name in dialects), name
        for refusal in refusals:
            assert re.search(reason, refusal.reason)
            assert refusal.node.startswith("node ")


@pytest.mark.slow
@pytest.mark.skipif(missing_parser() is not None, reason=str(missing_parser()))
@pytest.mark.parametrize(("text", "dialects", "reason"), REFUSED)
def test_the_parser_of_tensorrt_for_rtx_agrees(
    tmp_path: Path, text: str, dialects: list[str], reason: str
) -> None:
    verdict = parser_verdict(write_graph(tmp_path / "g.onnx", text))
    assert verdict.is_parsed == ("rtx" not in dialects)


def test_a_quantisation_without_a_zero_point_gives_int8(tmp_path: Path) -> None:
    # ONNX calls its result UINT8, and TensorRT reads it as INT8.
    text = """g (float[2] x) => (float[2] y) <float s = {0.1}> {
        q = QuantizeLinear(x, s)
        y = DequantizeLinear(q, s)
    }"""
    path = write_graph(tmp_path / "g.onnx", text)
    for name in ALL:
        assert [x for x in lint_graph(path, name) if x.severity == "refusal"] == []


@pytest.mark.parametrize(
    "value",
    [
        helper.make_tensor_value_info("x", TensorProto.UNDEFINED, [2]),
        helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2]),
        ValueInfoProto(name="x"),
    ],
)
def test_an_input_that_is_no_tensor_of_a_type_is_refused(
    tmp_path: Path, value: ValueInfoProto
) -> None:
    node, output = helper.make_node("Identity", ["x"], ["y"]), ValueInfoProto(name="y")
    opset = helper.make_opsetid("", 17)
    graph = helper.make_graph([node], "g", [value], [output])
    onnx.save(helper.make_model(graph, opset_imports=[opset]), tmp_path / "g.onnx")
    for name in ALL:
        refusals = [x for x in lint_graph(tmp_path / "g.onnx", name) if x.severity == "refusal"]
        assert "input 'x' must be a tensor with an element type" in refusals[0].reason


def test_a_function_of_the_model_is_judged_by_its_nodes(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for operator, refused_by in (("Relu", OLD), ("Det", ALL)):
        inner = helper.make_node(operator, ["a"], ["b"])
        function = helper.make_function("own", "F", ["a"], ["b"], [inner], opsets[:1])
        node = helper.make_node("F", ["x"], ["y"], domain="own")
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xy"]
        graph = helper.make_graph([node], "g", values[:1], values[1:])
        model = helper.make_model(graph, functions=[function], opset_imports=opsets)
        onnx.save(model, tmp_path / "g.onnx")
        for name in ALL:
            findings = lint_graph(tmp_path / "g.onnx", name)
            assert any(x.severity == "refusal" for x in findings) == (name in refused_by)


@pytest.mark.parametrize(("k", "refused_by"), [(5, []), (2000, OLD), (4000, ALL)])
def test_k_is_an_attribute_in_old_graphs(tmp_path: Path, k: int, refused_by: list[str]) -> None:
    text = f"g (float[9, 9000] x) => (float[9, m] y, int64[9, m] i) {{ y, i = TopK<k = {k}>(x) }}"
    model = onnx.load(write_graph(tmp_path / "g.onnx", text))
    model.opset_import[0].version = 9
    onnx.save(model, tmp_path / "g.onnx")
    for name in ALL:
        reasons = [x.reason for x in lint_graph(tmp_path / "g.onnx", name) if x.operator == "TopK"]
        expected = f"its K must be at most {1024 if name in OLD else 3840}. Got {k}"
        assert reasons == ([expected] if name in refused_by else [])


def test_a_constant_without_data_is_missing_but_not_judged(tmp_path: Path) -> None:
    text = """g (float[n] x) => (int8[n] y)
    <float scale = {0.1}, int8 zero = {0}> { y = QuantizeLinear(x, scale, zero) }"""
    model = onnx.load(write_graph(tmp_path / "g.onnx", text))
    for weight in model.graph.initializer:
        for field in ("raw_data", "float_data", "int32_data"):
            weight.ClearField(field)
    onnx.save(model, tmp_path / "g.onnx")
    for name in ALL:
        (refusal,) = (x for x in lint_graph(tmp_path / "g.onnx", name) if x.severity == "refusal")
        assert (refusal.node, refusal.reason) == ("", "weight 'scale' holds 0 of 1 elements")
