from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.graphs import DIGIT, LAYER, write_graph
from support.onnx_runs import fused, observed_shapes

from profilers import GivenValues, GraphCosts, WorkloadError, costs_of_graph

# Two experts, one of width 3 and one of width 5, serve tokens of width 2.
EXPERTS = """experts (float[tokens, 2] x, float[tokens, 2] route) => (float[tokens, 2] y)
<float[2, 3] up_a, float[3, 2] down_a, float[2, 5] up_b, float[5, 2] down_b, int64[1] zero = {0},
 int64[1] one = {1}, int64[2] numbers = {0, 1}>
{
    chosen = ArgMax<axis = 1, keepdims = 0>(route)
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
CONSTANT_BYTES = 8 + 8 + 16
EXPERT_A_BYTES, EXPERT_B_BYTES = 4 * 2 * 2 * 3, 4 * 2 * 2 * 5


def write_experts(path: Path) -> Path:
    """The graph with weights of ones; in the text only their shapes stand."""
    model = onnx.load(write_graph(path, EXPERTS))
    for value in model.graph.value_info:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, "f"), value.name))
    onnx.save(model, path)
    return path


def without_weights(path: Path) -> Path:
    """The graph with every weight in a file that is not there."""
    model = onnx.load(path)
    for weight in model.graph.initializer:  # only raw bytes go into a file of their own
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def test_a_layer_by_hand(path: Path) -> None:
    # Four sentences of three numbers: x takes 48 bytes, each activation of [4, 2] takes 32.
    assert costs_of_graph(write_graph(path, LAYER), dims={"batch": 4}) == GraphCosts(
        flops=2 * 4 * 3 * 2,
        weight_bytes=24 + 8 + 8 + 8,  # weight, bias, scale, and the constant that names the axis
        touched_weight_bytes=24 + 8 + 8 + 8,
        activation_bytes=32 + 32 + 32 + 32 + 16,
        # At the last node x, y, what is added up, and the sums.
        peak_memory_bytes=48 + (48 + 32 + 32 + 16),
        operators={"MatMul": 1, "Add": 1, "Tanh": 1, "Mul": 1, "Constant": 1, "ReduceSum": 1},
        unknown_nodes=(),
    )


def test_shapes_can_be_given_whole(path: Path) -> None:
    write_graph(path, LAYER)
    assert costs_of_graph(path, shapes={"x": (4, 3)}) == costs_of_graph(path, dims={"batch": 4})


def test_a_growing_cache_by_hand(path: Path) -> None:
    costs = costs_of_graph(write_graph(path, DIGIT), dims={"past": 5})
    # last, shifted and longer are one number each, the grown cache six.
    assert costs.activation_bytes == 4 + 4 + 4 + 4 * 6
    assert costs.weight_bytes == 4
    # Inputs: eight bytes of int64, one number, five numbers; at the end all but `shifted` live.
    assert costs.peak_memory_bytes == 4 + (8 + 4 + 20) + (4 + 4 + 24)


def test_weights_elsewhere_are_sized_and_not_read(path: Path) -> None:
    write_graph(path, LAYER)
    expected = costs_of_graph(path, dims={"batch": 4})
    # The axis lies in the graph, so the shapes do not depend on what is in the missing file.
    assert costs_of_graph(without_weights(path), dims={"batch": 4}) == expected


def test_weights_at_one_place_count_once(path: Path) -> None:
    text = """tied (float[n, 3] x) => (float[n, 3] y) <float[3, 3] a = {0, 0, 0, 0, 0, 0, 0, 0, 0},
        float[3, 3] b = {0, 0, 0, 0, 0, 0, 0, 0, 0}> { h = MatMul(x, a) y = MatMul(h, b) }"""
    model = onnx.load(write_graph(path, text))
    assert costs_of_graph(path).weight_bytes == 2 * 36
    for weight in model.graph.initializer:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "tied.bin"), ("offset", "4096"), ("length", "36")):
            weight.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    costs = costs_of_graph(path)
    assert (costs.weight_bytes, costs.touched_weight_bytes) == (36, 36)


def test_a_table_is_read_by_the_row_and_at_most_whole(path: Path) -> None:
    text = """table (int64[n] token) => (float[n, 2] y) <float[3, 2] table = {1, 2, 3, 4, 5, 6}>
        { y = Gather(table, token) }"""
    write_graph(path, text)
    touched = [costs_of_graph(path, dims={"n": n}).touched_weight_bytes for n in (0, 1, 2, 9)]
    assert touched == [0, 8, 16, 24]


def test_all_weights_of_a_node_are_read(path: Path) -> None:
    text = """linear (float[n, 2] x) => (float[n, 3] y)
        <float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[3] bias = {1, 2, 3}> { y = Gemm(x, w, bias) }"""
    assert costs_of_graph(write_graph(path, text)).touched_weight_bytes == 24 + 12


def test_asking_for_the_shape_of_a_weight_reads_nothing(path: Path) -> None:
    text = """shape () => (int64[2] y) <float[3, 2] table = {1, 2, 3, 4, 5, 6}>
        { y = Shape(table) }"""
    assert costs_of_graph(write_graph(path, text)).touched_weight_bytes == 0


def test_weights_narrower_than_a_byte_are_packed(path: Path) -> None:
    weight = helper.make_tensor("w", TensorProto.INT4, [3, 3], [1] * 9)
    node = helper.make_node("Shape", ["w"], ["y"])
    graph = helper.make_graph([node], "g", [], [], [weight])
    onnx.save(helper.make_model(graph), path)
    assert costs_of_graph(path).weight_bytes == 5  # nine halves of a byte


@pytest.mark.parametrize(
    ("rows", "flops", "touched"),
    [
        ((5, 0), 2 * 5 * 2 * (2 * 3), EXPERT_A_BYTES),
        ((0, 5), 2 * 5 * 2 * (2 * 5), EXPERT_B_BYTES),
        ((2, 3), 2 * 2 * (2 * (2 * 3) + 3 * (2 * 5)), EXPERT_A_BYTES + EXPERT_B_BYTES),
        (None, 2 * 2 * (3 * (2 * 3) + 2 * (2 * 5)), EXPERT_A_BYTES + EXPERT_B_BYTES),
    ],
)
def test_an_expert_without_tokens_computes_and_reads_nothing(
    path: Path, rows: tuple[int, ...] | None, flops: int, touched: int
) -> None:
    write_experts(path)
    given = None if rows is None else [rows]
    costs = costs_of_graph(path, dims={"tokens": 5}, tokens_per_segment=given)
    assert costs.flops == flops
    assert costs.touched_weight_bytes == CONSTANT_BYTES + touched
    assert costs.weight_bytes == CONSTANT_BYTES + EXPERT_A_BYTES + EXPERT_B_BYTES
    assert costs.unknown_nodes == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(1, 2, 2)], "number 0 must hold 2 numbers that add up to 5, .* 'sorted' .*Got .1, 2, 2"),
        ([(2, 2)], "must hold 2 numbers that add up to 5"),
        ([(6, -1)], "must hold 2 numbers that add up to 5"),
        ([], "must have one entry for each Split with computed sizes; .* has 1. Got 0."),
        ([(2, 3), (2, 3)], "has 1. Got 2."),
    ],
)
def test_a_routing_that_does_not_suit_the_graph_is_refused(
    path: Path, given: Sequence[tuple[int, ...]], message: str
) -> None:
    write_experts(path)
    with pytest.raises(WorkloadError, match=message):
        costs_of_graph(path, dims={"tokens": 5}, tokens_per_segment=given)


@pytest.mark.parametrize("rows", [(2, 3), (5, 0)])
def test_experts_have_the_shapes_that_the_runtime_gives_them(
    path: Path, rows: tuple[int, int]
) -> None:
    write_experts(path)
    route = np.repeat(np.eye(2, dtype="f"), rows, axis=0)
    feeds = {"x": np.ones((5, 2), "f"), "route": route}
    observed = observed_shapes(path, feeds)
    bytes_each = {"chosen": 8, "column": 8, "hit": 1, "counted": 8, "rows": 8, "n": 8}
    bytes_each |= {"_": 8, "order": 8, "place": 8}
    expected = sum(int(np.prod(shape)) * bytes_each.get(x, 4) for x, shape in observed.items())
    costs = costs_of_graph(path, dims={"tokens": 5}, tokens_per_segment=[rows])
    assert costs.activation_bytes == expected


def test_fusing_nodes_changes_no_flops(path: Path) -> None:
    text = """chain (float[2, 4, 6] x, float[2, 4, 6] z) => (float[2, 4, 4] y)
    <float[6, 6] w = {0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, float half = {0.5}>
    {
        h = MatMul(x, w)
        turned = Transpose<perm = [0, 2, 1]>(z)
        product = MatMul(h, turned)
        y = Mul(product, half)
    }"""
    plain = costs_of_graph(write_graph(path, text))
    rewritten = costs_of_graph(fused(path))
    assert "com.microsoft.FusedMatMul" in rewritten.operators
    assert plain.flops == 2 * 2 * 4 * 6 * 6 + 2 * 2 * 4 * 6 * 4
    assert (rewritten.flops, rewritten.unknown_nodes) == (plain.flops, ())


def test_what_depends_on_data_is_listed_and_all_that_follows(path: Path) -> None:
    text = """unknown (float[n, 4] x) => (float[m, 3] y) <float[4, 3] w = {0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0}, int64[1] axis = {1}>
    {
        size = ReduceSum<keepdims = 0>(x, axis)
        found = NonZero(size)
        rows = Transpose(found)
        kept = GatherND(x, rows)
        y = MatMul(kept, w)
    }"""
    costs = costs_of_graph(write_graph(path, text), dims={"n": 7})
    assert [line.partition(":")[0] for line in costs.unknown_nodes] == [
        "NonZero 'found'",
        "Transpose 'rows'",
        "GatherND 'kept'",
        "MatMul 'y'",
    ]
    assert costs.flops == 0
    assert costs.activation_bytes == 7 * 4


def test_what_no_output_needs_is_not_counted(path: Path) -> None:
    text = """dead (float[2, 4] x, float[4, 4] w, float[4, 1000] other, bool pick)
        => (float[2, 4] y)
    {
        hidden = MatMul(x, w)
        unused = MatMul(hidden, other)
        unused_too = Relu(unused)
        y = If<then_branch = t () => (float[2, 4] a) { spare = MatMul(x, other)
                                                       a = Abs(hidden) },
               else_branch = e () => (float[2, 4] b) { b = Neg(x) }>(pick)
    }"""
    costs = costs_of_graph(write_graph(path, text))
    # ONNX Runtime keeps one product when it optimises this graph.
    assert costs.flops == 2 * 2 * 4 * 4
    assert costs.operators == {"MatMul": 1, "If": 1, "Abs": 1}


def test_the_branch_that_is_taken_is_counted(path: Path) -> None:
    text = """branch (bool pick, float[2] x) => (float[2] y)
    {
        y = If<then_branch = t () => (float[2] a) <float[2] w = {1, 2}> { a = Mul(x, w) },
               else_branch = e () => (float[2] b) { b = Identity(x) }>(pick)
    }"""
    costs = costs_of_graph(write_graph(path, text))
    assert costs.unknown_nodes == ()
    assert costs.operators == {"If": 1, "Mul": 1}
    assert costs.weight_bytes == costs.touched_weight_bytes == 8
    other = costs_of_graph(path, values={"pick": GivenValues.parse("false")})
    assert other.operators == {"If": 1, "Identity": 1}
    assert (other.weight_bytes, other.touched_weight_bytes) == (8, 0)


def test_a_branch_may_take_values_from_around_it(path: Path) -> None:
    text = """branch (bool pick, float[2, n] x) => (float[2, 2] z)
    {
        turned = Transpose(x)
        y = If<then_branch = t () => (float[a, b] u) { u = Abs(turned) },
               else_branch = e () => (float[c, d] v) { v = Neg(turned) }>(pick)
        z = MatMul(x, y)
    }"""
    costs = costs_of_graph(write_graph(path, text), dims={"n": 5})
    assert costs.unknown_nodes == ()
    assert costs.flops == 2 * 2 * 5 * 2
    # While the branch runs x, turned, y and what is in the branch live; then z beside x and y.
    assert costs.peak_memory_bytes == 1 + 40 + 40 + 40 + 40


def test_the_graph_may_declare_what_cannot_be_inferred(path: Path) -> None:
    text = """declared (float[n, 4] x) => (float[n, 3] y) <float[4, 3] w = {0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0}, float[n, 4] h>
    { h = my.domain.Magic(x) y = MatMul(h, w) }"""
    header = '<ir_version: 8, opset_import: ["": 17, "my.domain": 1]>'
    onnx.save(onnx.parser.parse_model(f"{header} {text}"), path)
    costs = costs_of_graph(path, dims={"n": 7})
    assert costs.flops == 2 * 7 * 4 * 3
    assert costs.unknown_nodes == ("my.domain.Magic 'h': this operator has no rule",)


def test_functions_of_the_file_are_looked_into(path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
    outer (float[2, 3] x) => (float[2, 2] y) { y = local.twice(x) }
    <opset_import: ["": 17], domain: "local">
    twice (a) => (b) { t = Transpose(a) b = MatMul(a, t) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    costs = costs_of_graph(path)
    assert (costs.flops, costs.unknown_nodes) == (2 * 2 * 3 * 2, ())


def test_the_mask_of_an_old_dropout_is_as_large_as_what_it_masks(path: Path) -> None:
    text = """<ir_version: 4, opset_import: ["": 7]>
    old (float[2, 3] x) => (float[2, 3] y) { y, mask = Dropout(x) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    costs = costs_of_graph(path)
    assert (costs.activation_bytes, costs.unknown_nodes) == (2 * 24, ())


def test_computed_shapes_are_followed(path: Path) -> None:
    text = """computed (float[n, 6] x) => (float[n, n] y)
    <int64[1] two = {2}, int64[1] one = {1}, int64[1] rest = {-1}>
    {
        length = Shape<start = 0, end = 1>(x)
        double = Mul(length, two)
        size = Concat<axis = 0>(double, rest)
        tall = Reshape(x, size)
        wide = Transpose(tall)
        square = MatMul(tall, wide)
        zero = Constant<value_ints = [0]>()
        top = Slice(square, zero, length, zero)
        y = Slice(top, zero, length, one)
    }"""
    costs = costs_of_graph(write_graph(path, text), dims={"n": 5})
    assert costs.flops == 2 * 10 * 3 * 10
    assert costs.unknown_nodes == ()


def test_shapes_are_computed_by_operators_of_old_opsets(path: Path) -> None:
    text = """<ir_version: 6, opset_import: ["": 11]>
    old (float[n, 6] x, float[2, 2] w) => (float[m, 2] y)
    {
        size = Shape(x)
        at = Constant<value = int64 {0}>()
        rows = Gather(size, at)
        row = Unsqueeze<axes = [0]>(rows)
        three = Constant<value = int64[1] {3}>()
        two = Constant<value = int64[1] {2}>()
        shape = Concat<axis = 0>(row, three, two)
        cut = Reshape(x, shape)
        y = MatMul(cut, w)
    }"""
    onnx.save(onnx.parser.parse_model(text), path)
    costs = costs_of_graph(path, dims={"n": 5})
    assert (costs.flops, costs.unknown_nodes) == (2 * 5 * 3 * 2 * 2, ())


def test_a_file_that_is_not_onnx_is_refused(path: Path) -> None:
    path.write_text("These are words, and no graph at all.")
    with pytest.raises(WorkloadError, match="model.onnx is not ONNX: .* Export the model as ONNX."):
        costs_of_graph(path)


def test_the_figures_as_json(path: Path) -> None:
    costs = costs_of_graph(write_graph(path, DIGIT))
    assert costs.to_dict()["operators"] == {
        "Constant": 1,
        "Cast": 1,
        "Mul": 1,
        "Add": 1,
        "Concat": 1,
    }
    assert costs.to_dict()["unknown_nodes"] == []


@pytest.mark.parametrize(("kind", "n_bytes"), [(TensorProto.BFLOAT16, 2), (TensorProto.FLOAT, 4)])
def test_a_type_that_cannot_be_fed_is_counted_by_its_shape(
    tmp_path: Path, kind: int, n_bytes: int
) -> None:
    info = helper.make_tensor_value_info
    weight = helper.make_tensor("w", kind, [4, 8], [1.0] * 32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    inputs, outputs = [info("x", kind, ["b", 4])], [info("y", kind, ["b", 8])]
    graph = helper.make_graph([node], "g", inputs, outputs, [weight])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "g.onnx")
    costs = costs_of_graph(tmp_path / "g.onnx", dims={"b": 3})
    assert (costs.flops, costs.unknown_nodes) == (2 * 3 * 4 * 8, ())
    assert costs.peak_memory_bytes == n_bytes * (4 * 8 + 3 * 4 + 3 * 8)


@pytest.mark.parametrize(("ir_version", "opset"), [(99, 17), (8, 99)])
def test_shapes_of_a_graph_that_is_newer_than_the_runtime(
    tmp_path: Path, ir_version: int, opset: int
) -> None:
    ones = ", ".join(["1"] * 4 * 5)
    text = f"""g (float[n, 4] x) => (float[a, 5] y)
    <int64[1] zero = {{0}}, int64[1] four = {{4}}, float[4, 5] w = {{{ones}}}>
    {{ s = Shape(x) n = Gather(s, zero) t = Concat<axis = 0>(n, four) r = Reshape(x, t)
       y = MatMul(r, w) }}"""
    path = write_graph(tmp_path / "g.onnx", text)
    model = onnx.load(path)
    model.ir_version, model.opset_import[0].version = ir_version, opset
    onnx.save(model, path)
    costs = costs_of_graph(path, shapes={"x": (3, 4)})
    assert (costs.flops, costs.unknown_nodes) == (2 * 3 * 4 * 5, ())
