"""Tensors in sequences and optional values. ONNX Runtime tells the shapes of the tensors."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.graphs import write_graph

from profilers import GivenValues, costs_of_graph

ONES = ", ".join(["1"] * 4 * 5)
WEIGHTS = f"float[4, 5] w = {{{ONES}}}, int64 zero = {{0}}, int64 last = {{-1}}, int64 two = {{2}}"


@pytest.mark.parametrize(
    "body",
    [
        "s = SplitToSequence<axis = 0>(x) e = SequenceAt(s, last)",
        "s = SplitToSequence<axis = 0>(x, two) e = SequenceAt(s, last)",
        "s = SplitToSequence<axis = 0>(x, parts) e = SequenceAt(s, zero)",
        "s = SequenceConstruct(x, x) e = ConcatFromSequence<axis = 0>(s)",
        "s = SequenceConstruct(x, x) e = ConcatFromSequence<axis = 0, new_axis = 1>(s)",
        "s = SequenceConstruct(x, x) t = SequenceErase(s) e = ConcatFromSequence<axis = 0>(t)",
        "b = SequenceEmpty() s = SequenceInsert(b, x) t = SequenceInsert(s, x, zero) "
        "i = Identity(t) e = ConcatFromSequence<axis = 0>(i)",
        "o = Optional(x) e = OptionalGetElement(o)",
    ],
)
def test_a_tensor_keeps_its_shape_in_a_sequence(tmp_path: Path, body: str) -> None:
    text = f"""g (float[n, 4] x) => (float[a, 5] y) <{WEIGHTS}, int64[2] parts = {{3, 2}}>
    {{ {body} y = MatMul(e, w) }}"""
    path = write_graph(tmp_path / "g.onnx", text)
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    model.opset_import[0].version = 18
    onnx.save(model, path)
    costs = costs_of_graph(path, shapes={"x": (5, 4)})
    model.graph.output.append(onnx.ValueInfoProto(name="e"))
    onnx.save(model, path)
    rows = observed_rows(path)
    assert (costs.flops, costs.unknown_nodes) == (2 * rows * 4 * 5, ())


def observed_rows(path: Path) -> int:
    """How many rows ONNX Runtime multiplies."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = session.run(["e"], {"x": np.ones((5, 4), np.float32)})
    return int(np.prod(taken.shape[:-1]))


# A loop that collects one more row in each repetition.
COLLECTS = f"""collects (float[2, 4] x, int64 n) => (float[a, 5] y) <{WEIGHTS}>
{{
    go = Constant<value = bool {{1}}>()
    empty = SequenceEmpty()
    all = Loop<body = body (int64 i, bool go_in, seq(float[a, 4]) rows)
        => (bool go_out, seq(float[a, 4]) longer)
    {{
        longer = SequenceInsert(rows, x)
        go_out = Identity(go_in)
    }}>(n, go, empty)
    joined = ConcatFromSequence<axis = 0>(all)
    y = MatMul(joined, w)
}}"""


def test_a_loop_collects_tensors(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", COLLECTS)
    costs = costs_of_graph(path, values={"n": GivenValues.parse("3")})
    assert (costs.flops, costs.unknown_nodes) == (2 * (3 * 2) * 4 * 5, ())


def test_a_place_that_data_decides_needs_tensors_alike(tmp_path: Path) -> None:
    text = f"""g (float[2, 4] x, float[3, 4] z, float[2, 2] data) => (float[a, 5] y) <{WEIGHTS}>
    {{ s = SequenceConstruct(x, OTHER) sum = ReduceSum<keepdims = 0>(data)
       i = Cast<to = 7>(sum) e = SequenceAt(s, i) y = MatMul(e, w) }}"""
    alike = costs_of_graph(write_graph(tmp_path / "a.onnx", text.replace("OTHER", "x")))
    assert (alike.flops, alike.unknown_nodes) == (2 * 2 * 4 * 5, ())
    other = costs_of_graph(write_graph(tmp_path / "b.onnx", text.replace("OTHER", "z")))
    assert "the position is computed from data, and the tensors differ" in other.unknown_nodes[0]


def test_a_sequence_of_very_many_tensors_is_not_followed(tmp_path: Path) -> None:
    text = f"g (float[n, 4] x) => (float[1, 5] y) <{WEIGHTS}>"
    for split in ("SplitToSequence<axis = 0>(x)", "SplitToSequence<axis = 0>(x, two)"):
        body = f"{{ s = {split} e = SequenceAt(s, zero) y = MatMul(e, w) }}"
        path = write_graph(tmp_path / "g.onnx", f"{text} {body}")
        costs = costs_of_graph(path, shapes={"x": (2**40, 4)})
        assert re.search(r"SplitToSequence .*\d+ tensors .* too many", costs.unknown_nodes[0])


def test_a_map_over_a_sequence_runs_once_for_each_tensor(tmp_path: Path) -> None:
    text = f"""g (float[5, 4] x) => (float[a, 5] y) <{WEIGHTS}, int64 pair = {{2}}>
    {{ s = SplitToSequence<axis = 0>(x, pair)
       t = SequenceMap<body = b (float[n, 4] rows) => (float[n, 5] made)
           {{ made = MatMul(rows, w) }}>(s)
       y = ConcatFromSequence<axis = 0>(t) }}"""
    costs = costs_of_graph(write_graph(tmp_path / "g.onnx", text))
    assert (costs.flops, costs.unknown_nodes) == (2 * (2 + 2 + 1) * 4 * 5, ())
    assert costs.operators["MatMul"] == 3
    assert costs.activation_bytes >= 4 * 5 * 5
