"""What does not fit is refused when ONNX Runtime refuses it, and counted when it runs it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.graphs import write_graph
from support.onnx_runs import observed_shapes

from profilers import GivenValues, WorkloadError, costs_of_graph

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
        "Dimension mismatch in unification between 4 and 3",
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
    "squeeze": (graph("int64[1] i = {0}", "y = Squeeze(x, i)", X), {"x": (2, 3)}, ""),
}


def written(path: Path, text: str) -> Path:
    """The graph, whose output may have any shape."""
    model = onnx.load(write_graph(path, text))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_runtime_decides_what_fits(tmp_path: Path, case: str) -> None:
    text, shapes, reason = CASES[case]
    path = written(tmp_path / "g.onnx", text)
    feeds = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
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
