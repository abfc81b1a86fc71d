from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from support.onnx_runs import observed_shapes

from profilers import costs_of_graph

HEADER = '<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1]>'


def save(path: Path, text: str, opset: int = 17) -> Path:
    onnx.save(onnx.parser.parse_model(f"{HEADER.format(opset=opset)} {text}"), path)
    return path


# Counted by hand: 2 times the multiplications of the textbook definition.
STANDARD = {
    "vector times vector": ("(float[5] a, float[5] b) => (float[] y) { y = MatMul(a, b) }", 10),
    "matrix times vector": (
        "(float[3, 5] a, float[5] b) => (float[3] y) { y = MatMul(a, b) }",
        2 * 3 * 5,
    ),
    "batches are broadcast": (
        "(float[7, 1, 3, 5] a, float[2, 5, 4] b) => (float[7, 2, 3, 4] y) { y = MatMul(a, b) }",
        2 * 7 * 2 * 3 * 5 * 4,
    ),
    "integers": (
        "(uint8[3, 5] a, uint8[5, 4] b) => (int32[3, 4] y) { y = MatMulInteger(a, b) }",
        2 * 3 * 5 * 4,
    ),
    "quantised": (
        """(uint8[3, 5] a, float s, uint8 z, uint8[5, 4] b) => (uint8[3, 4] y)
        { y = QLinearMatMul(a, s, z, b, s, z, s, z) }""",
        2 * 3 * 5 * 4,
    ),
    "gemm": (
        """(float[5, 3] a, float[4, 5] b, float[4] c) => (float[3, 4] y)
        { y = Gemm<transA = 1, transB = 1>(a, b, c) }""",
        2 * 3 * 5 * 4,
    ),
    "grouped convolution": (  # 5x5 places, 6 filters over 2 of 4 channels, 3x3 each
        """(float[1, 4, 7, 7] x, float[6, 2, 3, 3] w) => (float[1, 6, 5, 5] y)
        { y = Conv<group = 2>(x, w) }""",
        2 * (5 * 5) * 6 * 2 * (3 * 3),
    ),
    "padded and strided convolution": (
        """(float[2, 3, 8] x, float[5, 3, 3] w) => (float[2, 5, 4] y)
        { y = Conv<pads = [1, 1], strides = [2]>(x, w) }""",
        2 * 2 * 4 * 5 * 3 * 3,
    ),
    "integer convolution": (
        """(uint8[1, 2, 6] x, uint8[4, 2, 3] w) => (int32[1, 4, 4] y) { y = ConvInteger(x, w) }""",
        2 * 4 * 4 * 2 * 3,
    ),
    "transposed convolution": (  # each of 2x3x3 inputs is spread over 4 channels, 2x2 each
        """(float[1, 2, 3, 3] x, float[2, 4, 2, 2] w) => (float[1, 4, 6, 6] y)
        { y = ConvTranspose<strides = [2, 2]>(x, w) }""",
        2 * (2 * 3 * 3) * 4 * (2 * 2),
    ),
    "lstm in two directions": (  # 4 gates of width 6, 3 steps, 2 sentences of width 5
        """(float[3, 2, 5] x, float[2, 24, 5] w, float[2, 24, 6] r) => (float[3, 2, 2, 6] y)
        { y = LSTM<direction = "bidirectional", hidden_size = 6>(x, w, r) }""",
        2 * 3 * 2 * 2 * 24 * (5 + 6),
    ),
    "gru": (
        """(float[3, 2, 5] x, float[1, 18, 5] w, float[1, 18, 6] r) => (float[3, 1, 2, 6] y)
        { y = GRU<hidden_size = 6>(x, w, r) }""",
        2 * 3 * 2 * 18 * (5 + 6),
    ),
    "einsum of a batched product": (
        """(float[2, 3, 5] a, float[2, 5, 4] b) => (float[2, 3, 4] y)
        { y = Einsum<equation = "bij, bjk -> bik">(a, b) }""",
        2 * 2 * 3 * 5 * 4,
    ),
    "einsum without an arrow": (
        """(float[3, 5] a, float[5, 4] b) => (float[3, 4] y)
        { y = Einsum<equation = "ij,jk">(a, b) }""",
        2 * 3 * 5 * 4,
    ),
    "einsum with an ellipsis": (
        """(float[7, 2, 3, 5] a, float[5, 4] b) => (float[7, 2, 3, 4] y)
        { y = Einsum<equation = "...ij,jk->...ik">(a, b) }""",
        2 * 7 * 2 * 3 * 5 * 4,
    ),
    "einsum that adds nothing up": (
        """(float[3] a, float[4] b) => (float[3, 4] y)
        { y = Einsum<equation = "i,j->ij">(a, b) }""",
        0,
    ),
    "einsum of one": (
        """(float[3, 4] a) => (float[4, 3] y) { y = Einsum<equation = "ij->ji">(a) }""",
        0,
    ),
    "elementwise": ("(float[3, 4] a) => (float[3, 4] y) { y = Softmax(a) }", 0),
}
# 2 sentences, 3 queries, 4 fresh and 6 cached keys, heads of width 5, values of width 7.
ATTENTION = {
    "four dimensions": (
        """(float[2, 8, 3, 5] q, float[2, 8, 4, 5] k, float[2, 8, 4, 7] v)
        => (float[2, 8, 3, 7] y) { y = Attention(q, k, v) }""",
        2 * 2 * 8 * 3 * 4 * (5 + 7),
    ),
    "shared keys, three dimensions": (
        """(float[2, 3, 40] q, float[2, 4, 10] k, float[2, 4, 14] v) => (float[2, 3, 56] y)
        { y = Attention<q_num_heads = 8, kv_num_heads = 2>(q, k, v) }""",
        2 * 2 * 8 * 3 * 4 * (5 + 7),
    ),
    "a cache": (
        """(float[2, 8, 3, 5] q, float[2, 8, 4, 5] k, float[2, 8, 4, 7] v,
            float[2, 8, 6, 5] pk, float[2, 8, 6, 7] pv)
        => (float[2, 8, 3, 7] y, float[2, 8, 10, 5] gk, float[2, 8, 10, 7] gv)
        { y, gk, gv = Attention(q, k, v, , pk, pv) }""",
        2 * 2 * 8 * 3 * (4 + 6) * (5 + 7),
    ),
}
# The operators of ONNX Runtime: shapes are checked against a run below.
CONTRIB = {
    "transposed operands": (
        """(float[2, 5, 3] a, float[2, 4, 5] b) => (float[n, m, k] y)
        { y = com.microsoft.FusedMatMul<transA = 1, transB = 1, alpha = 0.5>(a, b) }""",
        2 * 2 * 3 * 5 * 4,
    ),
    "plain operands": (
        "(float[3, 5] a, float[5, 4] b) => (float[n, m] y) { y = com.microsoft.FusedMatMul(a, b) }",
        2 * 3 * 5 * 4,
    ),
    "transposed batches": (
        """(float[2, 3, 5] a, float[4, 3, 5] b) => (float[n, m, k] y)
        { y = com.microsoft.FusedMatMul<transBatchA = 1, transBatchB = 1, transB = 1>(a, b) }""",
        2 * 3 * 2 * 5 * 4,
    ),
    "two transposed batches and a transposed operand": (
        """(float[5, 6, 3, 2] a, float[6, 3, 5, 4] b) => (float[n, m, k, l] y)
        { y = com.microsoft.FusedMatMul<transBatchA = 1, transA = 1>(a, b) }""",
        2 * 6 * 3 * 2 * 5 * 4,
    ),
    "fused gemm": (
        """(float[5, 3] a, float[5, 4] b, float[4] c) => (float[n, m] y)
        { y = com.microsoft.FusedGemm<transA = 1, activation = "Relu">(a, b, c) }""",
        2 * 3 * 5 * 4,
    ),
    "fused convolution": (
        """(float[1, 4, 7, 7] x, float[6, 4, 3, 3] w) => (float[a, b, c, d] y)
        { y = com.microsoft.FusedConv<pads = [1, 1, 1, 1], activation = "Relu">(x, w) }""",
        2 * (7 * 7) * 6 * 4 * (3 * 3),
    ),
    "dynamically quantised": (
        """(float[3, 5] a, uint8[5, 4] b, float[1] s) => (float[n, m] y)
        { y = com.microsoft.DynamicQuantizeMatMul(a, b, s) }""",
        2 * 3 * 5 * 4,
    ),
    "integers to floats": (
        """(uint8[3, 5] a, uint8[5, 4] b, float[1] s) => (float[n, m] y)
        { y = com.microsoft.MatMulIntegerToFloat(a, b, s, s) }""",
        2 * 3 * 5 * 4,
    ),
    "four bits": (  # 32 columns are two blocks of 16, 8 bytes each
        """(float[2, 3, 32] a, uint8[8, 2, 8] b, float[16] s) => (float[n, m, k] y)
        { y = com.microsoft.MatMulNBits<K = 32, N = 8, bits = 4, block_size = 16>(a, b, s) }""",
        2 * 2 * 3 * 32 * 8,
    ),
    "projection and attention": (  # 12 wide to 8 + 8 + 8, 3 tokens
        """(float[2, 3, 12] x, float[12, 24] w, float[24] b) => (float[n, m, k] y)
        { y = com.microsoft.Attention<num_heads = 4>(x, w, b) }""",
        2 * 2 * 3 * 12 * 24 + 2 * 2 * 3 * 3 * (8 + 8),
    ),
    "projection to values of another width": (
        """(float[2, 3, 12] x, float[12, 20] w, float[20] b) => (float[n, m, k] y)
        { y = com.microsoft.Attention<num_heads = 2, qkv_hidden_sizes = [8, 8, 4]>(x, w, b) }""",
        2 * 2 * 3 * 12 * 20 + 2 * 2 * 3 * 3 * (8 + 4),
    ),
    "attention with a cache": (
        """(float[2, 3, 12] x, float[12, 24] w, float[24] b, float[2, 2, 4, 6, 2] past)
        => (float[n, m, k] y, float[a, c, d, e, f] grown)
        { y, grown = com.microsoft.Attention<num_heads = 4>(x, w, b, , past) }""",
        2 * 2 * 3 * 12 * 24 + 2 * 2 * 3 * (3 + 6) * (8 + 8),
    ),
    "cross attention": (
        """(float[2, 3, 8] q, float[2, 5, 8] k, float[2, 5, 12] v) => (float[n, m, h] y)
        { y = com.microsoft.MultiHeadAttention<num_heads = 4>(q, k, v) }""",
        2 * 2 * 3 * 5 * (8 + 12),
    ),
    "cross attention to a cache": (
        """(float[2, 3, 8] q, float[2, 4, 5, 2] k, float[2, 4, 5, 2] v) => (float[n, m, h] y)
        { y = com.microsoft.MultiHeadAttention<num_heads = 4>(q, k, v) }""",
        2 * 2 * 3 * 5 * (8 + 8),
    ),
    "attention to a growing cache": (
        """(float[2, 1, 8] q, float[2, 1, 8] k, float[2, 1, 8] v, float[2, 4, 6, 2] pk,
            float[2, 4, 6, 2] pv)
        => (float[n, m, h] y, float[a, b, c, d] gk, float[a, b, c, d] gv)
        { y, gk, gv = com.microsoft.MultiHeadAttention<num_heads = 4>(q, k, v, , , , pk, pv) }""",
        2 * 2 * 1 * (6 + 1) * (8 + 8),
    ),
    "quantised lstm in two directions": (  # 4 gates of width 6, 3 steps, 2 sentences of width 5
        """(float[3, 2, 5] x, uint8[2, 5, 24] w, uint8[2, 6, 24] r, float[2] ws, uint8[2] wz,
            float[2] rs, uint8[2] rz) => (float[a, b, c, d] y)
        { y = com.microsoft.DynamicQuantizeLSTM<direction = "bidirectional", hidden_size = 6>
            (x, w, r, , , , , , ws, wz, rs, rz) }""",
        2 * 3 * 2 * 2 * 24 * (5 + 6),
    ),
    "gelu": (
        "(float[3, 4] a, float[4] b) => (float[n, m] y) { y = com.microsoft.BiasGelu(a, b) }",
        0,
    ),
    "skip norm": (
        """(float[2, 3, 4] x, float[2, 3, 4] s, float[4] g) => (float[n, m, k] y, float[n, m, k] t)
        { y, , , t = com.microsoft.SkipLayerNormalization<epsilon = 0.00001>(x, s, g) }""",
        0,
    ),
    "quantised sum": (
        """(uint8[3, 1] a, float s, uint8 z, uint8[2, 1, 4] b) => (uint8[n, m, k] y)
        { y = com.microsoft.QLinearAdd(a, s, z, b, s, z, s, z) }""",
        0,
    ),
}


@pytest.mark.parametrize(("text", "flops"), STANDARD.values(), ids=STANDARD)
def test_a_multiply_add_counts_twice(tmp_path: Path, text: str, flops: int) -> None:
    costs = costs_of_graph(save(tmp_path / "g.onnx", f"g {text}"))
    assert (costs.flops, costs.unknown_nodes) == (flops, ())


@pytest.mark.parametrize(("text", "flops"), ATTENTION.values(), ids=ATTENTION)
def test_attention_meets_every_key(tmp_path: Path, text: str, flops: int) -> None:
    costs = costs_of_graph(save(tmp_path / "g.onnx", f"g {text}", opset=23))
    assert (costs.flops, costs.unknown_nodes) == (flops, ())


@pytest.mark.parametrize(("text", "flops"), CONTRIB.values(), ids=CONTRIB)
def test_operators_of_the_runtime_have_the_shapes_it_gives_them(
    tmp_path: Path, text: str, flops: int
) -> None:
    path = save(tmp_path / "g.onnx", f"g {text}")
    costs = costs_of_graph(path)
    assert (costs.flops, costs.unknown_nodes) == (flops, ())
    inputs = onnx.load(path).graph.input
    feeds = {
        value.name: np.ones(
            [dim.dim_value for dim in value.type.tensor_type.shape.dim],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in inputs
    }
    itemsize = 1 if "QLinearAdd" in text else 4
    observed = sum(map(prod, observed_shapes(path, feeds).values()))
    assert costs.activation_bytes == itemsize * observed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "(float[3, 4] a) => (float[x, y] y) { y = my.domain.Magic(a) }",
            "my.domain.Magic 'y': this operator has no rule for its shapes; this operator has no",
        ),
        (
            "(float[1, 8, 1] a) => (float[1, 8, 2] y) { y = DFT(a) }",
            "DFT 'y': this operator has no rule",
        ),
        (
            """(float[2] a, float[2] b, float[2] c) => (float[] y)
            { y = Einsum<equation = "i,i,i->">(a, b, c) }""",
            "Einsum 'y': the cost of more than two operands depends on their order",
        ),
        (
            """(float[2, 3, 12] x, float[12, 24] w) => (float[n, m, k] y)
            { y = com.microsoft.Attention<num_heads = 4, past_present_share_buffer = 1>(x, w) }""",
            "'y' is unknown; a cache of fixed size does not tell how full it is",
        ),
    ],
)
def test_what_cannot_be_told_is_listed_with_its_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    header = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1, "my.domain": 1]>'
    path = tmp_path / "g.onnx"
    onnx.save(onnx.parser.parse_model(f"{header} g {text}"), path)
    costs = costs_of_graph(path)
    (unknown,) = costs.unknown_nodes
    assert reason in unknown
    assert costs.flops == 0
