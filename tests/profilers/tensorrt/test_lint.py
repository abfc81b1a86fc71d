import re
from pathlib import Path

import onnx.parser
import pytest
from support.graphs import DOUBLE, write_graph

from profilers.tensorrt.lint import lint_graph
from profilers.workload.fields import WorkloadError

NON_ZERO = "g (float[n] x) => (int64[1, m] y) { y = NonZero(x) }"
NORM = """g (float[n, 4] x) => (float[n, 4] y)
<float[4] gain = {1, 1, 1, 1}> { y = LayerNormalization(x, gain) }"""
FUSED = "g (float[n] x) => (float[n] y) { y = com.microsoft.FusedGelu(x) }"
BEST = """g (float[n, 4] x) => (float[n, k] y, int64[n, k] i)
<int64[1] k = {%d}> { y, i = TopK <axis = 1> (x, k) }"""
COMPUTED_K = """g (float[n] x) => (float[m] y, int64[m] i)
{ k = Shape(x)  y, i = TopK <axis = 0> (x, k) }"""
INTEGER_SUM = "g (int64[n] x) => (int64[1] y) { y = ReduceSum(x) }"
# How many elements are positive decides how many are kept.
KEPT = """g (float[n] x) => (float[m] y)
<float zero = {0}, int64[1] from = {0}, int64[1] axis = {0}> {
    positive = Greater(x, zero)
    ones = Cast <to = 6> (positive)
    wide = Cast <to = 1> (ones)
    sum = ReduceSum <keepdims = 1> (wide)
    count = Cast <to = 7> (sum)
    y = Slice(x, from, count, axis)
}"""
# The places where the operator Constant may hold what must be known.
CONSTANT_AXIS = """g (float[n] x) => (float[1, n] y)
{ axis = Constant <value_ints = [0]> ()  y = Unsqueeze(x, axis) }"""
CONSTANT_K = """g (float[n] x) => (float[m] y, int64[m] i)
{ k = Constant <value_ints = [2000]> ()  y, i = TopK <axis = 0> (x, k) }"""
# Integers in one dimension may be a shape that whoever runs the graph gives.
GIVEN_SIZE = """g (float[n] x, int64[1] rows) => (float[r, c] y)
<int64[1] rest = {-1}> { shape = Concat <axis = 0> (rows, rest)  y = Reshape(x, shape) }"""
WEIGHED_SIZE = """g (float[n] x, int64[1] rows) => (float[r] y) {
    real = Cast <to = 1> (rows)
    half = Mul(real, real)
    shape = Cast <to = 7> (half)
    y = Reshape(x, shape)
}"""
ASYMMETRIC = """g (float[n] x) => (int8[n] y)
<float scale = {0.1}, int8 zero = {3}> { y = QuantizeLinear(x, scale, zero) }"""


def refusals(path: Path, dialect: str) -> list[tuple[str, str]]:
    return [
        (finding.operator, finding.reason)
        for finding in lint_graph(path, dialect)
        if finding.severity == "refusal"
    ]


def notes(path: Path, dialect: str) -> list[str]:
    return [x.reason for x in lint_graph(path, dialect) if x.severity == "note"]


@pytest.mark.parametrize("dialect", ["8.5", "8.6", "10", "11", "rtx"])
def test_a_plain_graph_is_taken_by_all(tmp_path: Path, dialect: str) -> None:
    path = write_graph(tmp_path / "g.onnx", DOUBLE)
    assert refusals(path, dialect) == []
    assert notes(path, dialect) == ["an optimisation profile must give the shapes of x"]


# The expected verdicts are those of onnx-tensorrt's changelog and support matrices.
@pytest.mark.parametrize(
    ("text", "dialects", "reason"),
    [
        (NON_ZERO, ["rtx"], "does not take this operator"),
        (NORM, ["8.5"], "since 8.6 only"),
        (FUSED, ["8.5", "8.6", "10", "11", "rtx"], "'com.microsoft' is not a standard one"),
        (BEST % 2, [], ""),
        (BEST % 2000, ["8.5", "8.6"], "at most 1024. Got 2000"),
        (BEST % 4000, ["8.5", "8.6", "10", "11", "rtx"], "Got 4000"),
        (COMPUTED_K, ["8.5"], "its K must be an initialiser"),
        (INTEGER_SUM, ["8.5", "8.6"], "must be floating point"),
        (KEPT, ["8.5", "8.6"], "its output's shape depends on data"),
        (CONSTANT_AXIS, [], ""),
        (CONSTANT_K, ["8.5", "8.6"], "at most 1024. Got 2000"),
        (GIVEN_SIZE, [], ""),
        (WEIGHED_SIZE, ["8.5", "8.6"], "its output's shape depends on data"),
        (ASYMMETRIC, ["8.5", "8.6", "10", "11", "rtx"], "zero point must be 0"),
    ],
)
def test_a_refusal_names_the_operator_and_the_reason(
    tmp_path: Path, text: str, dialects: list[str], reason: str
) -> None:
    path = write_graph(tmp_path / "g.onnx", text)
    found = {name: refusals(path, name) for name in ("8.5", "8.6", "10", "11", "rtx")}
    assert [name for name, of_dialect in found.items() if of_dialect] == dialects
    for of_dialect in found.values():
        for operator, said in of_dialect:
            assert re.search(rf"[ .]{operator} *(<.*>)? *\(", text)
            assert reason in said


def test_the_node_is_named(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", NON_ZERO)
    model = onnx.load(path)
    (unnamed,) = (x for x in lint_graph(path, "rtx") if x.severity == "refusal")
    assert unnamed.node == "node 0"
    model.graph.node[0].name = "which"
    onnx.save(model, path)
    (named,) = (x for x in lint_graph(path, "rtx") if x.severity == "refusal")
    assert (named.node, named.operator) == ("which", "NonZero")


def test_a_shape_that_depends_on_data_is_noted_where_it_is_taken(tmp_path: Path) -> None:
    for text in (NON_ZERO, KEPT):
        (_, note) = notes(write_graph(tmp_path / "g.onnx", text), "10")
        assert "no CUDA graph can hold it" in note


def test_a_shape_that_depends_on_shapes_is_no_matter(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", COMPUTED_K)
    assert not any("depends on data" in note for note in notes(path, "11"))


def test_an_input_that_says_a_shape_is_noted(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", GIVEN_SIZE)
    assert "shape gives a shape: it lies on the CPU, not the GPU" in notes(path, "11")
    assert not any("host" in note for note in notes(write_graph(path, COMPUTED_K), "11"))


def test_integers_are_narrowed_before_10(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", "g (int64[3] x) => (int64[3] y) { y = Add(x, x) }")
    assert notes(path, "8.6") == ["INT64 is narrowed to INT32; give x as INT32"]
    assert notes(path, "10") == []


def test_an_opset_that_is_too_new(tmp_path: Path) -> None:
    path = tmp_path / "g.onnx"
    text = f'<ir_version: 8, opset_import: ["": 21]> {DOUBLE}'
    onnx.save(onnx.parser.parse_model(text), path)
    assert [reason for _, reason in refusals(path, "8.6")] == [
        "opset 21 is newer than 17, the newest that it reads; export with an older one"
    ]
    assert refusals(path, "11") == []


def test_bodies_of_branches_are_looked_at(tmp_path: Path) -> None:
    text = """g (bool flag, float[n] x) => (float[n] y) {
        y = If (flag) <
            then_branch = one () => (float[n] a) { a = Abs(x) },
            else_branch = two () => (float[n] b) { b = com.example.Odd(x) }
        >
    }"""
    (found,) = refusals(write_graph(tmp_path / "g.onnx", text), "11")
    assert found[0] == "Odd"


def test_what_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"\xff\xfe no model")
    with pytest.raises(WorkloadError, match="is not ONNX"):
        lint_graph(tmp_path / "g.onnx", "10")
    (tmp_path / "g.onnx").write_bytes(b"")
    with pytest.raises(WorkloadError, match="has no nodes"):
        lint_graph(tmp_path / "g.onnx", "10")
    with pytest.raises(ValueError, match="'dialect' must be one of 8.5, .* Got '9'"):
        lint_graph(tmp_path / "g.onnx", "9")
