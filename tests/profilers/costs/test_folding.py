"""Nodes on weights alone run in no inference. What ONNX Runtime keeps of a graph is the judge."""

from pathlib import Path

import onnx
import onnxruntime as ort
import pytest
from support.graphs import write_graph

from profilers import GraphCosts, costs_of_graph
from profilers.costs.bodies import runs_of
from profilers.costs.graph import even_rows
from profilers.costs.shapes import OpenedGraph
from profilers.costs.values import value_of
from profilers.workload.from_onnx import open_onnx_workload
from profilers.workload.subgraphs import all_nodes

A, B, W = "float[4, 8] a", "float[8, 5] b", 2 * 4 * 8 * 5  # the FLOPs of a times b
Y = 2 * 3 * 4 * 5  # those of x [3, 4] times a matrix [4, 5]
# A graph, with the FLOPs of a run and those that are folded.
GRAPHS = {
    "a product of weights": ("w = MatMul(a, b)", Y, W),
    "a chain": ("c = Transpose(b) d = Transpose(c) e = Cast<to = 1>(d) w = MatMul(a, e)", Y, W),
    "an equation": ('w = Einsum<equation = "ij,jk->ik">(a, b)', Y, W),
    "of a constant": (
        """c = Constant<value_floats = [1.0, 1.0, 1.0, 1.0]>()
        shape = Constant<value_ints = [1, 4]>()
        row = Reshape(c, shape)
        one = MatMul(row, a)
        rows = Mul(a, one)
        w = MatMul(rows, b)""",
        Y,
        2 * 4 * 8 + W,
    ),
    "with its size": ("s = Shape(a) c = ConstantOfShape(s) w = MatMul(c, b)", Y, W),
    "a weight that is not dropped": ("c = Dropout(a) w = MatMul(c, b)", Y, W),
    "random": ("r = RandomNormalLike(a) w = MatMul(r, b)", Y + W, 0),
    "an operator of ONNX Runtime": ("w = com.microsoft.FusedMatMul(a, b)", Y + W, 0),
    "a sequence": (
        """s = SequenceConstruct(a, a) first = Constant<value_int = 0>()
        c = SequenceAt(s, first)
        w = MatMul(c, b)""",
        Y + W,
        0,
    ),
    "a branch that is always taken": (
        """yes = Constant<value = bool {1}>()
        w = If<then_branch = t () => (float[4, 5] t) { t = MatMul(a, b) },
               else_branch = e () => (float[4, 5] u) { v = MatMul(a, b) u = Neg(v) }>(yes)""",
        Y,
        W,
    ),
    "within a loop": (
        """n = Constant<value_int = 3>()
        yes = Constant<value = bool {1}>()
        none = MatMul(a, b)
        w = Loop<body = l (int64 i, bool go_in, float[4, 5] v) => (bool go, float[4, 5] z)
            { go = Identity(go_in) p = MatMul(a, b) z = Add(v, p) }>(n, yes, none)""",
        Y,
        2 * W,  # once in front of the loop, and once in it
    ),
    "a value that goes round": (
        """n = Constant<value_int = 3>()
        yes = Constant<value = bool {1}>()
        square = Constant<value = float[5, 5] {1,0,0,0,0, 0,1,0,0,0, 0,0,1,0,0, 0,0,0,1,0,
            0,0,0,0,1}>()
        first = MatMul(a, b)
        w = Loop<body = l (int64 i, bool go_in, float[4, 5] v) => (bool go, float[4, 5] z)
            { go = Identity(go_in) z = MatMul(v, square) }>(n, yes, first)""",
        Y + 3 * 2 * 4 * 5 * 5,
        W,
    ),
}


def write(path: Path, body: str, *, opset: int = 17) -> Path:
    """A graph that multiplies its input by what the body makes of two weights of zeros."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": {opset}, "com.microsoft": 1]>
        g (float[3, 4] x) => (float[3, 5] y) {{ {body} y = MatMul(x, w) }}"""
    )
    for name, shape in (("a", (4, 8)), ("b", (8, 5))):
        n_elements = shape[0] * shape[1]
        weight = onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, shape, [0.0] * n_elements)
        model.graph.initializer.append(weight)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", GRAPHS)
def test_products_of_weights_are_no_part_of_a_run(tmp_path: Path, name: str) -> None:
    body, flops, folded = GRAPHS[name]
    costs = costs_of_graph(write(tmp_path / "g.onnx", body))
    assert (costs.flops, costs.folded_flops) == (flops, folded)
    assert costs.unknown_nodes == ()


def products_of_onnx_runtime(path: Path, optimised: Path) -> int:
    """The products that ONNX Runtime keeps when it loads a graph."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 3
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kept = [node.op_type for node in all_nodes(onnx.load(optimised).graph)]
    return sum(op in ("MatMul", "Einsum", "FusedMatMul", "Gemm") for op in kept)


@pytest.mark.parametrize("name", GRAPHS)
def test_onnx_runtime_folds_the_same(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "g.onnx", GRAPHS[name][0])
    opened = open_onnx_workload(path)
    inputs = {x: value_of(spec) for x, spec in opened.workload.calls[0].inputs.items()}
    nodes = OpenedGraph(path, opened.model).shaped_nodes(inputs, even_rows)
    ours = sum(
        node.proto.op_type in ("MatMul", "Einsum", "FusedMatMul") for node, _ in runs_of(nodes)
    )
    assert ours == products_of_onnx_runtime(path, tmp_path / "optimised.onnx")


def costs_of(tmp_path: Path, text: str) -> GraphCosts:
    return costs_of_graph(write_graph(tmp_path / "g.onnx", text))


def test_what_is_folded_is_read_and_kept_in_place_of_the_weights(tmp_path: Path) -> None:
    costs = costs_of_graph(write(tmp_path / "g.onnx", "w = MatMul(a, b)"))
    assert costs.weight_bytes == 4 * (4 * 8 + 8 * 5)  # the file holds a and b
    assert costs.touched_weight_bytes == 4 * 4 * 5  # a run reads w
    assert costs.activation_bytes == 4 * 3 * 5
    assert costs.peak_memory_bytes == 4 * (4 * 5 + 3 * 4 + 3 * 5)
    assert costs.operators == {"MatMul": 1}


def test_a_weight_that_a_run_reads_too_is_kept(tmp_path: Path) -> None:
    costs = costs_of(
        tmp_path,
        """g (float[3, 4] x) => (float[3, 5] e, float[3, 5] f)
        <float[4, 2] a = {1, 1, 1, 1, 1, 1, 1, 1}, float[2, 5] b = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}>
        { c = MatMul(a, b) d = MatMul(x, a) e = MatMul(d, b) f = MatMul(x, c) }""",
    )
    weights = 4 * (4 * 2 + 2 * 5 + 4 * 5)
    assert costs.touched_weight_bytes == weights
    assert costs.peak_memory_bytes == weights + 4 * (3 * 4 + 2 * 3 * 5)  # x, e and f; d is freed


@pytest.mark.parametrize(("ir_version", "opset", "flops"), [(8, 17, Y + W), (3, 8, Y)])
def test_a_weight_that_an_input_may_replace_is_not_folded(
    tmp_path: Path, ir_version: int, opset: int, flops: int
) -> None:
    path = write(tmp_path / "g.onnx", "w = MatMul(a, b)", opset=opset)
    model = onnx.load(path)
    model.ir_version = ir_version
    for weight in model.graph.initializer:
        value = onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.input.append(value)
    onnx.save(model, path)
    assert costs_of_graph(path).flops == flops


def test_weights_of_few_bits_stay_small(tmp_path: Path) -> None:
    costs = costs_of(
        tmp_path,
        """g (float[3, 2] x) => (float[3, 2] y)
        <int8[2, 2] q = {1, 2, 3, 4}, float s = {0.5}>
        { w = DequantizeLinear(q, s) y = MatMul(x, w) }""",
    )
    assert (costs.flops, costs.folded_flops) == (2 * 3 * 2 * 2, 0)
    assert costs.touched_weight_bytes == 4 + 4
    assert costs.operators == {"DequantizeLinear": 1, "MatMul": 1}


def test_a_graph_of_weights_alone_says_where_its_flops_are(tmp_path: Path) -> None:
    costs = costs_of(
        tmp_path,
        """g () => (float[1, 1] y) <float[1, 3] a = {1, 2, 3}, float[3, 1] b = {1, 2, 3}>
        { y = MatMul(a, b) }""",
    )
    assert (costs.flops, costs.folded_flops) == (0, 2 * 3)


def test_what_does_not_fit_into_a_file_is_not_folded(tmp_path: Path) -> None:
    side = 1 << 15  # a square of 4 GiB
    costs = costs_of(
        tmp_path,
        f"""g (float[1] x) => (float[{side}, {side}] y) <int64[2] shape = {{{side}, {side}}}>
        {{ ones = ConstantOfShape(shape) y = Mul(x, ones) }}""",
    )
    assert costs.operators == {"ConstantOfShape": 1, "Mul": 1}
