from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.graphs import DIGIT, LAYER, write_graph

from profilers import (
    Call,
    TensorSpec,
    Workload,
    WorkloadError,
    costs_of_graph,
    costs_of_workload,
)

# One router, biased by `route`, and two experts of widths 3 and 5 for tokens of width 2.
ROUTED = """routed (float[tokens, 2] x, float[tokens, 2] route) => (float[tokens, 2] y)
<float[2, 2] router = {0, 0, 0, 0}, float[2, 3] up_a = {0, 0, 0, 0, 0, 0},
 float[3, 2] down_a = {0, 0, 0, 0, 0, 0}, float[2, 5] up_b = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
 float[5, 2] down_b = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, int64[1] zero = {0}, int64[1] one = {1},
 int64[2] numbers = {0, 1}>
{
    logits = MatMul(x, router)
    biased = Add(logits, route)
    chosen = ArgMax<axis = 1, keepdims = 0>(biased)
    column = Unsqueeze(chosen, one)
    hit = Equal(column, numbers)
    counted = Cast<to = 7>(hit)
    rows = ReduceSum<keepdims = 0>(counted, zero)
    n = Shape(chosen)
    _, order = TopK<axis = 0, largest = 0>(chosen, n)
    sorted = Gather(x, order)
    a, b = Split<axis = 0>(sorted, rows)
    wide_a = MatMul(a, up_a)
    served_a = MatMul(wide_a, down_a)
    wide_b = MatMul(b, up_b)
    served_b = MatMul(wide_b, down_b)
    joined = Concat<axis = 0>(served_a, served_b)
    place = Unsqueeze(order, one)
    y = ScatterND(x, place, joined)
}"""
ROUTER = 2 * 2 * 2  # FLOPs per token
A, B = 2 * 2 * (2 * 3), 2 * 2 * (2 * 5)  # FLOPs per token
A_BYTES, B_BYTES = 4 * 2 * (2 * 3), 4 * 2 * (2 * 5)
OTHER_BYTES = 4 * 4 + 8 + 8 + 16  # the router and the constants


def to_experts(*experts: int, bias: float = 1e4) -> TensorSpec:
    rows = np.eye(2)[list(experts)] * bias
    return TensorSpec("float32", rows.shape, values=tuple(rows.ravel().tolist()))


def drawn(*shape: int) -> TensorSpec:
    return TensorSpec("float32", shape, seed=0)


def routed(folder: Path, *calls: Call) -> Path:
    write_graph(folder / "g.onnx", ROUTED)
    Workload({"g": "g.onnx"}, calls).save(folder / "w.json")
    return folder / "w.json"


def test_one_run_costs_what_the_graph_costs(tmp_path: Path) -> None:
    graph = write_graph(tmp_path / "g.onnx", LAYER)
    Workload({"g": "g.onnx"}, (Call("once", "g", inputs={"x": drawn(4, 3)}),)).save(
        tmp_path / "w.json"
    )
    assert costs_of_workload(tmp_path / "w.json") == costs_of_graph(graph, dims={"batch": 4})


@pytest.mark.parametrize(
    ("experts", "flops", "touched"),
    [
        ((0, 0, 0), 3 * A, A_BYTES),
        ((1, 1, 1), 3 * B, B_BYTES),
        ((1, 0, 1), A + 2 * B, A_BYTES + B_BYTES),
    ],
)
def test_the_bias_decides_who_computes(
    tmp_path: Path, experts: tuple[int, ...], flops: int, touched: int
) -> None:
    call = Call("layer", "g", inputs={"x": drawn(3, 2), "route": to_experts(*experts)})
    costs = costs_of_workload(routed(tmp_path, call))
    assert costs.flops == 3 * ROUTER + flops
    assert costs.touched_weight_bytes == OTHER_BYTES + touched
    assert costs.weight_bytes == OTHER_BYTES + A_BYTES + B_BYTES
    assert costs.unknown_nodes == ()


@pytest.mark.parametrize(
    "route",
    [
        to_experts(1, 1, 1, bias=0.5),  # the router has a say
        TensorSpec("float32", (3, 2), values=(0.0,)),
        drawn(3, 2),
    ],
)
def test_where_the_router_decides_experts_serve_equally(tmp_path: Path, route: TensorSpec) -> None:
    call = Call("layer", "g", inputs={"x": drawn(3, 2), "route": route})
    assert costs_of_workload(routed(tmp_path, call)).flops == 3 * ROUTER + 2 * A + B


def test_what_a_router_multiplies_decides_nothing(tmp_path: Path) -> None:
    text = ROUTED.replace(", float[tokens, 2] route)", ")").replace(
        "Add(logits, route)", "Neg(logits)"
    )
    write_graph(tmp_path / "g.onnx", text)
    # These tokens look like a bias; but the router's weights lie between them and the choice.
    call = Call("layer", "g", inputs={"x": to_experts(1, 1, 1)})
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    assert costs_of_workload(tmp_path / "w.json").flops == 3 * ROUTER + 2 * A + B


def test_every_step_has_its_own_routing_and_reads_its_own_weights(tmp_path: Path) -> None:
    call = Call(
        "step",
        "g",
        repeat=3,
        inputs={"x": drawn(1, 2)},
        step_inputs={"route": (to_experts(0), to_experts(1), to_experts(1))},
        carry={"y": "x"},
    )
    costs = costs_of_workload(routed(tmp_path, call))
    assert costs.flops == 3 * ROUTER + A + 2 * B
    assert costs.touched_weight_bytes == 3 * OTHER_BYTES + A_BYTES + 2 * B_BYTES
    assert costs.operators["Split"] == 3


def test_a_cache_grows_by_step_and_the_last_step_is_the_peak(tmp_path: Path) -> None:
    write_graph(tmp_path / "g.onnx", DIGIT)
    call = Call(
        "digits",
        "g",
        repeat=3,
        inputs={
            "number": TensorSpec("float32", (1,), values=(0,)),
            "cache": TensorSpec("float32", (2,), values=(0,)),
        },
        step_inputs={"digit": tuple(TensorSpec("int64", (1,), values=(n,)) for n in range(3))},
        carry={"longer": "number", "grown": "cache"},
    )
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    costs = costs_of_workload(tmp_path / "w.json")
    # Three single numbers in each step, and a cache that becomes 3, 4 and 5 numbers long.
    assert costs.activation_bytes == 4 * (3 * 3 + (3 + 4 + 5))
    assert costs.weight_bytes == 4
    last = costs_of_graph(tmp_path / "g.onnx", dims={"past": 4})
    assert costs.peak_memory_bytes == last.peak_memory_bytes
    assert costs.operators["Concat"] == 3


def test_calls_hand_over_outputs_and_all_graphs_stay_in_memory(tmp_path: Path) -> None:
    write_graph(tmp_path / "layer.onnx", LAYER)
    text = """wide (float[n, 2] x) => (float[n, 3] y)
        <float[2, 3] w = {0, 0, 0, 0, 0, 0}> { y = MatMul(x, w) }"""
    write_graph(tmp_path / "wide.onnx", text)
    calls = (
        Call("first", "layer", inputs={"x": drawn(4, 3)}),
        Call("second", "wide", from_calls={"x": ("first", "y")}),
    )
    Workload({"layer": "layer.onnx", "wide": "wide.onnx"}, calls).save(tmp_path / "w.json")
    costs = costs_of_workload(tmp_path / "w.json")
    assert costs.flops == 2 * 4 * 3 * 2 + 2 * 4 * 2 * 3
    assert costs.weight_bytes == 48 + 24
    # The layer's own peak: x of 48 bytes, y and what is weighed of 32 each, 16 of sums.
    assert costs.peak_memory_bytes == 48 + 24 + (48 + 32 + 32 + 16)


def test_a_graph_called_twice_has_its_weights_once(tmp_path: Path) -> None:
    one = Call("one", "g", inputs={"x": drawn(3, 2), "route": to_experts(0, 0, 0)})
    once = costs_of_workload(routed(tmp_path, one))
    twice = costs_of_workload(routed(tmp_path, one, replace(one, name="two")))
    assert twice.weight_bytes == once.weight_bytes
    assert twice.flops == 2 * once.flops


def test_sizes_that_are_inputs_are_known(tmp_path: Path) -> None:
    text = """sized (float[n, 4] x, int64[2] size) => (float[a, a] y)
        { r = Reshape(x, size) t = Transpose(r) y = MatMul(r, t) }"""
    graph = write_graph(tmp_path / "g.onnx", text)
    size = TensorSpec("int64", (2,), values=(6, 2))
    Workload({"g": "g.onnx"}, (Call("c", "g", inputs={"x": drawn(3, 4), "size": size}),)).save(
        tmp_path / "w.json"
    )
    costs = costs_of_workload(tmp_path / "w.json")
    assert (costs.flops, costs.unknown_nodes) == (2 * 6 * 2 * 6, ())
    # Without a workload the size is chosen as zeros, and a 0 keeps a size of x.
    assert costs_of_graph(graph, dims={"n": 3}).flops == 2 * 3 * 4 * 3


def test_unknown_nodes_say_in_which_call(tmp_path: Path) -> None:
    write_graph(tmp_path / "g.onnx", "g (float[2] x) => (int64[1, m] y) { y = NonZero(x) }")
    call = Call("look", "g", repeat=2, inputs={"x": drawn(2)})
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    unknown = costs_of_workload(tmp_path / "w.json").unknown_nodes
    assert unknown == ("look: NonZero 'y': the shape of its output 'y' is computed from data",)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            Call("c", "g", inputs={"x": drawn(3, 2)}),
            "'c' must give the inputs .'route'. of .*g.onnx",
        ),
        (
            Call("c", "g", inputs={"x": drawn(1, 2), "route": drawn(1, 2), "more": drawn(1)}),
            "'c' gives .'more'., which .*g.onnx does not take",
        ),
        (
            Call("c", "g", inputs={"x": drawn(1, 2), "route": drawn(1, 2)}, carry={"z": "x"}),
            "'c' has no output 'z', which the workload takes from it. Correct",
        ),
    ],
)
def test_a_workload_that_does_not_suit_its_graph_is_refused(
    tmp_path: Path, call: Call, message: str
) -> None:
    with pytest.raises(WorkloadError, match=message):
        costs_of_workload(routed(tmp_path, call))
