"""What does not fit is refused when ONNX Runtime refuses it, and counted when it runs it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from support.graphs import write_graph
from support.onnx_runs import observed_shapes

from profilers import GivenValues, WorkloadError, costs_of_graph
from profilers.workload.runtime import newest_opset

Shape = tuple[int, ...]


def matrix(name: str, *shape: int) -> str:
    """The declaration of a weight of ones."""
    ones = ", ".join(["1"] * int(np.prod(shape)))
    return f"float[{', '.join(map(str, shape))}] {name} = {{{ones}}}"


def graph(weights: str, body: str, *inputs: str) -> str:
    taken = ", ".join(inputs)
    return f"g ({taken}) => (float y) <{weights}> {{ {body} }}"


X, Z, IMAGE = "float[a, b] x", "float[c, d] z", "float[n, c, h, w] x"
NORM = ", ".join(matrix(name, 5) for name in "sbmv")
RECURRENT = f"{matrix('W', 1, 20, 4)}, {matrix('R', 1, 20, 5)}"

# By name: the graph, the shapes of its inputs, and how the refusal ends; None when it runs.
CASES: Mapping[str, tuple[str, Mapping[str, Shape], str | None]] = {
    "matmul": (
        graph(matrix("w", 4, 5), "y = MatMul(x, w)", X),
        {"x": (1, 3)},
        r"MatMul 'y' cannot take x \[1, 3\], w \[4, 5\]: Incompatible dimensions",
    ),
    "matmul-fits": (graph(matrix("w", 4, 5), "y = MatMul(x, w)", X), {"x": (1, 4)}, None),
    "reshape": (
        graph("int64[2] s = {2, 12}", "y = Reshape(x, s)", X),
        {"x": (2, 3)},
        "6 elements cannot have the shape .2, 12.",
    ),
    "reshape-rest": (graph("int64[2] s = {-1, 12}", "y = Reshape(x, s)", X), {"x": (2, 3)}, ""),
    "reshape-fits": (graph("int64[2] s = {-1, 12}", "y = Reshape(x, s)", X), {"x": (8, 3)}, None),
    "gemm": (
        graph(matrix("w", 4, 5), "y = Gemm(x, w)", X),
        {"x": (2, 3)},
        "(Dimension mismatch in unification between 4 and 3|the inner sizes are 3 and 4)",
    ),
    "gemm-turned": (graph(matrix("w", 5, 4), "y = Gemm<transB = 1>(x, w)", X), {"x": (2, 4)}, None),
    "gemm-bias": (
        graph(f"{matrix('w', 4, 5)}, {matrix('c', 3)}", "y = Gemm(x, w, c)", X),
        {"x": (2, 4)},
        "C of .3. cannot be added to .2, 5.",
    ),
    "gemm-column": (
        graph(f"{matrix('w', 4, 5)}, {matrix('c', 2, 1)}", "y = Gemm(x, w, c)", X),
        {"x": (2, 4)},
        None,
    ),
    "channels": (
        graph(matrix("k", 8, 3, 3, 3), "y = Conv(x, k)", IMAGE),
        {"x": (1, 4, 9, 9)},
        "the filters take 3 channels, the input has 4",
    ),
    "small-image": (
        graph(matrix("k", 8, 3, 3, 3), "y = Conv(x, k)", IMAGE),
        {"x": (1, 3, 2, 2)},
        "",
    ),
    "groups": (
        graph(matrix("k", 8, 1, 3, 3), "y = Conv<group = 3>(x, k)", IMAGE),
        {"x": (1, 3, 9, 9)},
        "8 filters cannot be divided into 3 groups",
    ),
    "transposed": (
        graph(matrix("k", 4, 8, 3, 3), "y = ConvTranspose(x, k)", IMAGE),
        {"x": (1, 3, 9, 9)},
        "the filters take 4 channels in 1 groups, the input has 3",
    ),
    "add": (graph(matrix("w", 1), "y = Add(x, z)", X, Z), {"x": (2, 3), "z": (4, 5)}, ""),
    "norm": (
        graph(NORM, "y = BatchNormalization(x, s, b, m, v)", IMAGE),
        {"x": (1, 3, 4, 4)},
        "Dimension mismatch in unification between 5 and 3",
    ),
    "lstm": (
        graph(RECURRENT, "seq, y = LSTM<hidden_size = 5>(x, W, R)", "float[s, n, i] x"),
        {"x": (3, 2, 6)},
        "W takes 4 features, X has 6",
    ),
    "einsum": (
        graph(matrix("w", 4, 5), 'y = Einsum<equation = "ij,jk->ik">(x, w)', X),
        {"x": (2, 3)},
        "the index 'j' has the sizes 3 and 4",
    ),
    "gather": (
        graph("int64[2] i = {0, 7}", "y = Gather(x, i)", X),
        {"x": (2, 3)},
        "the indices reach from 0 to 7 in an axis of 2",
    ),
    "instance-norm": (
        graph(f"{matrix('s', 5)}, {matrix('b', 5)}", "y = InstanceNormalization(x, s, b)", IMAGE),
        {"x": (1, 3, 4, 4)},
        "input 1 must have the shape .3.",
    ),
    "layer-norm": (
        graph(matrix("s", 5), "y = LayerNormalization(x, s)", X),
        {"x": (2, 4)},
        "a scale of .5. is not for .4.",
    ),
    "bias": (
        graph(f"{matrix('k', 8, 3, 3, 3)}, {matrix('b', 7)}", "y = Conv(x, k, b)", IMAGE),
        {"x": (1, 3, 9, 9)},
        "input 2 must have the shape .8.",
    ),
    "kernel": (
        graph(matrix("k", 8, 3, 3, 3), "y = Conv<kernel_shape = [2, 2]>(x, k)", IMAGE),
        {"x": (1, 3, 9, 9)},
        "the kernel is .2, 2., the filters are .8, 3, 3, 3.",
    ),
    "gru-width": (
        graph(
            f"{matrix('W', 1, 15, 6)}, {matrix('R', 1, 15, 5)}",
            "seq, y = GRU<hidden_size = 4>(x, W, R)",
            "float[s, n, i] x",
        ),
        {"x": (3, 2, 6)},
        "W, R and hidden_size are of different sizes",
    ),
    "gather-elements": (
        graph("int64[1, 2] i = {0, 7}", "y = GatherElements(x, i)", X),
        {"x": (2, 3)},
        "the indices reach from 0 to 7 in an axis of 2",
    ),
    "scatter-elements": (
        graph(f"int64[1, 2] i = {{0, 1}}, {matrix('u', 1, 3)}", "y = ScatterElements(x, i, u)", X),
        {"x": (4, 5)},
        "the indices and the updates are of different shapes",
    ),
    "scatter": (
        graph(f"int64[1, 1] i = {{0}}, {matrix('u', 1, 4)}", "y = ScatterND(x, i, u)", X),
        {"x": (4, 5)},
        "the updates must have the shape .1, 5.",
    ),
    "depth-to-space": (
        graph(matrix("w", 1), "y = DepthToSpace<blocksize = 2>(x)", IMAGE),
        {"x": (1, 6, 2, 2)},
        "it cannot be divided into blocks of 2",
    ),
    "slope": (
        graph(matrix("s", 5), "y = PRelu(x, s)", X),
        {"x": (2, 3)},
        "a slope of .5. is not for .2, 3.",
    ),
    "no-picture": (
        graph("int64[4] s = {1, 1, 0, 4}", "y = Resize(x, , , s)", IMAGE),
        {"x": (1, 1, 4, 4)},
        "a size or scale of 0 makes no picture",
    ),
    "small-pool": (
        graph(matrix("w", 1), "y = MaxPool<kernel_shape = [3, 3]>(x)", IMAGE),
        {"x": (1, 1, 2, 2)},
        None,
    ),
    "own-attention": (
        graph(
            f"{matrix('w', 6, 24)}, {matrix('b', 24)}",
            "y = com.microsoft.Attention<num_heads = 2>(x, w, b)",
            "float[s, n, i] x",
        ),
        {"x": (1, 3, 8)},
        "the weight takes 6 features, the input has 8",
    ),
    "heads": (
        graph(
            matrix("w", 1),
            "y = com.microsoft.MultiHeadAttention<num_heads = 3>(x, x, x)",
            "float[s, n, i] x",
        ),
        {"x": (1, 4, 8)},
        "8 features cannot be divided among 3 heads",
    ),
    "skip": (
        graph(
            f"{matrix('z', 1, 3, 7)}, {matrix('g', 8)}",
            "y = com.microsoft.SkipLayerNormalization(x, z, g)",
            "float[s, n, i] x",
        ),
        {"x": (1, 3, 8)},
        ".1, 3, 7. cannot be added to .1, 3, 8.",
    ),
    "gelu": (
        graph(matrix("b", 4), "y = com.microsoft.BiasGelu(x, b)", X),
        {"x": (2, 3)},
        "input 1 must have the shape .3.",
    ),
    "few-bits": (
        graph(
            f"uint8[4, 1, 16] q = {{{', '.join(['1'] * 64)}}}, {matrix('s', 4)}",
            "y = com.microsoft.MatMulNBits<K = 32, N = 4, bits = 4, block_size = 32>(x, q, s)",
            X,
        ),
        {"x": (2, 16)},
        "Incompatible dimensions",
    ),
    "squeeze": (graph("int64[1] i = {0}", "y = Squeeze(x, i)", X), {"x": (2, 3)}, ""),
}

RELEASE = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
RUN_BY_OLD_RELEASES = ("bias", "lstm")


def written(path: Path, text: str, opset: int = 17) -> Path:
    """The graph, whose output may have any shape."""
    model = onnx.load(write_graph(path, text))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    model.opset_import[0].version = opset
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_runtime_decides_what_fits(tmp_path: Path, case: str) -> None:
    text, shapes, reason = CASES[case]
    path = written(tmp_path / "g.onnx", text)
    feeds = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    if case in RUN_BY_OLD_RELEASES and RELEASE < (1, 30):
        observed_shapes(path, feeds)
        assert costs_of_graph(path, shapes=shapes).unknown_nodes == ()
        return
    if reason is None:
        shape = observed_shapes(path, feeds)["y"]
        assert costs_of_graph(path, shapes=shapes).activation_bytes == 4 * np.prod(shape)
        return
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        observed_shapes(path, feeds)
    with pytest.raises(WorkloadError, match=f"{reason}.*Give other shapes or values with"):
        costs_of_graph(path, shapes=shapes)


BRANCH = f"""branch (bool pick, float[a, b] x) => (float[c, d] y) <{matrix("w", 4, 5)}>
{{
    y = If<then_branch = t () => (float[e, f] u) {{ u = MatMul(x, w) }},
           else_branch = e () => (float[g, h] v) {{ v = Neg(x) }}>(pick)
}}"""


def test_only_the_branch_that_runs_must_fit(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", BRANCH)
    values = {name: {"pick": GivenValues.parse(name)} for name in ("true", "false")}
    with pytest.raises(WorkloadError, match=r"MatMul 'u' cannot take x \[1, 3\]"):
        costs_of_graph(path, shapes={"x": (1, 3)}, values=values["true"])
    assert costs_of_graph(path, shapes={"x": (1, 3)}, values=values["false"]).flops == 0


def test_what_the_graph_declares_is_no_reason_to_refuse(tmp_path: Path) -> None:
    # The declared shape of h is wrong: two elements are not 0. ONNX Runtime runs the graph.
    text = f"""g (float[n] x) => (float[a, b] y) <{matrix("w", 2, 5)}, float[1, n] h>
    {{ indices = NonZero(x) h = Cast<to = 1>(indices) y = MatMul(h, w) }}"""
    path = written(tmp_path / "g.onnx", text)
    assert observed_shapes(path, {"x": np.array([1, 0, 1], np.float32)})["y"] == (1, 5)
    unknown = costs_of_graph(path, shapes={"x": (3,)}).unknown_nodes
    assert any("MatMul 'y': Incompatible dimensions" in node for node in unknown)


@pytest.mark.skipif(newest_opset() < 23, reason="ONNX Runtime does not know Attention")
def test_attention_without_heads_is_refused(tmp_path: Path) -> None:
    text = graph(matrix("w", 1), "y = Attention(x, z, z)", IMAGE, "float[e, f, g, i] z")
    path = written(tmp_path / "g.onnx", text, 23)
    shapes = {"x": (1, 2, 4, 8), "z": (1, 0, 4, 8)}
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        observed_shapes(path, {name: np.ones(shape, "f") for name, shape in shapes.items()})
    with pytest.raises(WorkloadError, match="the queries, keys and values are of different sizes"):
        costs_of_graph(path, shapes=shapes)


def test_a_region_of_a_picture_is_no_scale(tmp_path: Path) -> None:
    text = """g (float[1, 1, 4, 4] x, float[4] data) => (float y)
    <float[8] region = {0, 0, 0, 0, 1, 1, 1, 1}> { s = Abs(data)
    y = Resize<coordinate_transformation_mode = "tf_crop_and_resize">(x, region, s) }"""
    (unknown,) = costs_of_graph(written(tmp_path / "g.onnx", text)).unknown_nodes
    assert "the shape of its output 'y' is unknown" in unknown


def test_a_lack_of_memory_is_no_refusal(tmp_path: Path) -> None:
    text = f"""g (float[n] x) => (float y) <{matrix("v", 1, 1, 1, 1)}, int64[1, 1, 1, 1] i = {{0}},
    int64[4] s = {{1, 1, {2**22}, {2**22}}}> {{ y = MaxUnpool<kernel_shape = [1, 1]>(v, i, s) }}"""
    costs = costs_of_graph(written(tmp_path / "g.onnx", text))
    assert (costs.unknown_nodes, costs.activation_bytes) == ((), 4 * 2**44)


def test_a_product_with_very_many_rows_is_not_tried(tmp_path: Path) -> None:
    path = written(tmp_path / "g.onnx", CASES["slope"][0])
    assert costs_of_graph(path, shapes={"x": (2**40, 3)}).activation_bytes == 2**40 * 3 * 4


def test_a_kernel_that_ends_its_process_is_no_end_of_ours(tmp_path: Path) -> None:
    # ONNX Runtime aborts when it reverses a vector whose rank it does not know beforehand.
    text = graph(
        matrix("w", 1), "s = Shape(x) r = Reshape(x, s) y = ReverseSequence(r, l)", X, "int64[b] l"
    )
    path = written(tmp_path / "g.onnx", text)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    with pytest.raises(WorkloadError, match="must have rank >= 2"):
        costs_of_graph(path, shapes={"x": (4,), "l": (4,)})
