"""A value of `--input` that gives a shape reaches the shapes. ONNX Runtime is the witness."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.graphs import write_graph
from support.onnx_runs import observed_shapes

from profilers import GivenValues, costs_of_graph, deciding_inputs, open_onnx_workload

X, IMAGE = "float[2, 3, 4] x", "float[1, 3, 8, 6] x"

# By name: the graph's inputs and body, and the values that are given.
CASES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "reshape": (f"{X}, int64[2] s", "y = Reshape(x, s)", {"s": "-1,6"}),
    "tile": (f"{X}, int64[3] s", "y = Tile(x, s)", {"s": "1,5,2"}),
    "expand": (f"{X}, int64[4] s", "y = Expand(x, s)", {"s": "7,1,1,1"}),
    "slice": (
        f"{X}, int64[1] from, int64[1] to, int64[1] axis, int64[1] step",
        "y = Slice(x, from, to, axis, step)",
        {"from": "-1", "to": "-99", "axis": "2", "step": "-2"},
    ),
    "pad": (f"{X}, int64[6] s", "y = Pad(x, s)", {"s": "1,0,2,0,3,0"}),
    "range": (
        "int64 first, int64 limit, int64 step",
        "y = Range(first, limit, step)",
        {"first": "2", "limit": "17", "step": "3"},
    ),
    "range-of-floats": (
        "float first, float limit, float step",
        "y = Range(first, limit, step)",
        {"first": "0.5", "limit": "7", "step": "0.5"},
    ),
    "topk": (f"{X}, int64[1] k", "y, i = TopK(x, k)", {"k": "3"}),
    "onehot": (
        "int64[2, 3] x, int64 depth, float[2] levels",
        "y = OneHot(x, depth, levels)",
        {"depth": "9"},
    ),
    "scales": (f"{IMAGE}, float[4] s", "y = Resize(x, , s)", {"s": "1,1,2,0.5"}),
    "sizes": (f"{IMAGE}, int64[4] s", "y = Resize(x, , , s)", {"s": "1,3,5,7"}),
    "filled": ("int64[2] s", "y = ConstantOfShape(s)", {"s": "3,4"}),
    "split": (f"{X}, int64[2] s", "y, z = Split<axis = 2>(x, s)", {"s": "1,3"}),
    "unsqueeze": (f"{X}, int64[2] s", "y = Unsqueeze(x, s)", {"s": "0,4"}),
    "sum": (f"{X}, int64[2] s", "y = ReduceSum<keepdims = 0>(x, s)", {"s": "0,2"}),
    "window": ("int64 n", "y = HannWindow(n)", {"n": "12"}),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_given_value_reaches_the_shapes(tmp_path: Path, case: str) -> None:
    inputs, body, texts = CASES[case]
    path = write_graph(tmp_path / "g.onnx", f"g ({inputs}) => (float y) {{ {body} }}")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    if case in ("range", "topk"):
        model.graph.output[0].type.tensor_type.elem_type = 7 if case == "range" else 1
    onnx.save(model, path)
    values = {name: GivenValues.parse(text) for name, text in texts.items()}
    specs = open_onnx_workload(path, values=values).workload.calls[0].inputs
    feeds = {
        name: np.asarray(spec.values, spec.dtype).reshape(spec.shape)
        if spec.values is not None and len(spec.values) == np.prod(spec.shape)
        else np.zeros(spec.shape, spec.dtype)
        for name, spec in specs.items()
    }
    shapes = observed_shapes(path, feeds)
    wide = {"range": {"y": 8}, "topk": {"i": 8}}.get(case, {})
    expected = sum(int(np.prod(shape)) * wide.get(x, 4) for x, shape in shapes.items())
    costs = costs_of_graph(path, values=values)
    assert (costs.activation_bytes, costs.unknown_nodes) == (expected, ())


def test_the_flops_follow_the_scales(tmp_path: Path) -> None:
    ones = ", ".join(["1"] * 3 * 3)
    text = f"""g (float[1, 3, 4, 4] x, float[4] s) => (float[1, 3, h, w] y)
        <float[3, 3, 1, 1] k = {{{ones}}}> {{ big = Resize(x, , s) y = Conv(big, k) }}"""
    path = write_graph(tmp_path / "g.onnx", text)
    values = {"s": GivenValues.parse("1,1,2,3")}
    assert costs_of_graph(path, values=values).flops == 2 * 3 * (8 * 12) * 3
    assert deciding_inputs(open_onnx_workload(path, values=values), path) == ("s",)
    # Without a value the picture stays as it is: a random scale could be negative.
    assert costs_of_graph(path).flops == 2 * 3 * (4 * 4) * 3
    (sentence,) = open_onnx_workload(path).sentences
    assert "s=1 (1, as it is a scale)" in sentence


def test_a_condition_that_is_given_tells_how_much_a_compress_keeps(tmp_path: Path) -> None:
    text = """g (float[6, 4] x, bool[6] kept) => (float[n, 5] y)
    <float[4, 5] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}>
    { z = Compress<axis = 0>(x, kept) y = MatMul(z, w) }"""
    path = write_graph(tmp_path / "g.onnx", text)
    costs = costs_of_graph(path, values={"kept": GivenValues.parse("1,1,0,0,1,0")})
    assert (costs.flops, costs.unknown_nodes) == (2 * 3 * 4 * 5, ())
    flat = text.replace("<axis = 0>", "").replace("MatMul(z, w)", "Identity(z)")
    costs = costs_of_graph(
        write_graph(tmp_path / "f.onnx", flat.replace("[n, 5] y", "[n] y")),
        values={"kept": GivenValues.parse("1,1,0,0,1,0")},
    )
    assert costs.activation_bytes == 2 * 3 * 4
