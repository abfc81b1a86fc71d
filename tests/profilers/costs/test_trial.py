"""A few elements of a graph may tell sizes that no machine has memory for."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, save
from support.graphs import write_graph

from profilers import costs_of_graph
from profilers.costs.trial import _limit_memory, _most_bytes, described, tried
from profilers.costs.values import UnknownCostError

SIDE = 65536
SQUARE_BYTES = 4 * SIDE * SIDE

# Each gives a tensor of 16 GiB, from constants alone or from an input of a few elements.
LARGE = {
    "MaxUnpool": f"""g (float[1, 1, 2, 2] x) => (float y)
        <int64[1, 1, 2, 2] i = {{0, 5, 10, 15}}, int64[4] size = {{1, 1, {SIDE}, {SIDE}}}>
        {{ y = MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(x, i, size) }}""",
    "MaxUnpool of constants": f"""g (float[1] z) => (float y)
        <float[1, 1, 2, 2] x = {{1, 2, 3, 4}}, int64[1, 1, 2, 2] i = {{0, 5, 10, 15}},
         int64[4] size = {{1, 1, {SIDE}, {SIDE}}}>
        {{ y = MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(x, i, size) }}""",
    "ConstantOfShape": f"""g (float[1] x) => (float y) <int64[2] size = {{{SIDE}, {SIDE}}}>
        {{ y = ConstantOfShape(size) }}""",
    "Expand": f"""g (float[1] x) => (float y)
        <float[1] one = {{1}}, int64[2] size = {{{SIDE}, {SIDE}}}> {{ y = Expand(one, size) }}""",
    "Tile": f"""g (float[1] x) => (float y)
        <float[1, 1] one = {{1}}, int64[2] size = {{{SIDE}, {SIDE}}}> {{ y = Tile(one, size) }}""",
    "Pad": f"""g (float[1] x) => (float y)
        <float[1, 1] one = {{1}}, int64[4] size = {{{SIDE - 1}, 0, 0, {SIDE - 1}}}>
        {{ y = Pad(one, size) }}""",
    "Range": f"""g (float[1] x) => (float y)
        <float first = {{0}}, float limit = {{{SIDE * SIDE}}}, float step = {{1}}>
        {{ y = Range(first, limit, step) }}""",
    "OneHot": f"""g (float[1] x) => (float y)
        <int64[1024] i = {{{", ".join(["1"] * 1024)}}}, int64 depth = {{{SIDE * SIDE // 1024}}},
         float[2] levels = {{0, 1}}> {{ y = OneHot(i, depth, levels) }}""",
    "Resize": f"""g (float[1] x) => (float y)
        <float[1, 1, 1, 1] one = {{1}}, int64[4] size = {{1, 1, {SIDE}, {SIDE}}}>
        {{ y = Resize<mode = "nearest">(one, , , size) }}""",
}


@pytest.mark.parametrize("name", LARGE)
def test_a_tensor_that_is_too_large_for_any_memory_is_counted(tmp_path: Path, name: str) -> None:
    costs = costs_of_graph(write_graph(tmp_path / "g.onnx", LARGE[name]))
    assert costs.unknown_nodes == ()
    assert costs.activation_bytes == SQUARE_BYTES


def test_a_large_tensor_in_a_branch_is_counted(tmp_path: Path) -> None:
    text = f"""g (bool c, float[2] x) => (float y)
    {{
        y = If<then_branch = t () => (float[a, b] p) <int64[2] size = {{{SIDE}, {SIDE}}}>
                   {{ p = ConstantOfShape(size) }},
               else_branch = e () => (float[d] q) {{ q = Neg(x) }}>(c)
    }}"""
    path = write_graph(tmp_path / "g.onnx", text)
    assert costs_of_graph(path).peak_memory_bytes > SQUARE_BYTES


def test_a_sparse_weight_is_not_made_dense(tmp_path: Path) -> None:
    values = numpy_helper.from_array(np.ones(2, np.float32), "w")
    places = numpy_helper.from_array(np.array([0, 5], np.int64), "places")
    sparse = helper.make_sparse_tensor(values, places, [SIDE, SIDE])
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIDE])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", inputs, outputs, sparse_initializer=[sparse])
    path = tmp_path / "g.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert costs_of_graph(path).flops == 2 * SIDE * SIDE


def model_of(text: str) -> ModelProto:
    from onnx import parser

    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')


def test_a_trial_that_takes_too_much_memory_is_refused_by_itself() -> None:
    model = model_of("g (int64[2] size) => (float[a, b] y) { y = ConstantOfShape(size) }")
    answer = tried(model, {"size": ("int64", (2,), [SIDE, SIDE])})
    assert "llocate" in answer["error"] or "bad_alloc" in answer["error"]
    with suppress(UnknownCostError):  # an old release refuses it
        assert described(model_of(LARGE["ConstantOfShape"])).keys() == {"y"}  # not computed


def test_a_trial_answers_with_few_elements() -> None:
    model = model_of("g (int64[1] size) => (float[a] y) { y = ConstantOfShape(size) }")
    for n, elements in ((3, [0, 0, 0]), (5000, None)):
        (output,) = tried(model, {"size": ("int64", (1,), [n])})["outputs"]
        assert output == ["float32", [n], elements]


@pytest.mark.parametrize(("memory_gib", "limit_gib"), [(1, 1.5), (4, 3), (64, 4)])
def test_a_trial_takes_at_most_half_of_a_small_memory(memory_gib: int, limit_gib: float) -> None:
    assert _most_bytes(memory_gib << 30) == limit_gib * (1 << 30)


def test_a_system_without_such_a_limit_asks_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")

    def refuses(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")  # as macOS does

    monkeypatch.setattr(resource, "setrlimit", refuses)
    _limit_memory()
    monkeypatch.delattr(resource, "RLIMIT_AS")  # OpenBSD has none
    _limit_memory()
