"""FLOPs of ONNX Runtime's own operators, by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers import GivenValues, costs_of_graph

FLOAT, BYTE, INT32 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT32
# A product of every query with every key, and one of every weight with every value.
BOTH = 2


def write(
    path: Path,
    op: str,
    inputs: dict[str, tuple[int, tuple[int, ...]]],
    weights: dict[str, tuple[int, ...]],
    order: list[str],
    **attributes: object,
) -> Path:
    node = helper.make_node(op, order, ["y"], domain="com.microsoft", **attributes)
    given = [helper.make_tensor_value_info(x, kind, dims) for x, (kind, dims) in inputs.items()]
    kept = [
        numpy_helper.from_array(np.ones(shape, np.uint8 if op == "QMoE" else np.float32), name)
        for name, shape in weights.items()
    ]
    out = helper.make_tensor_value_info("y", FLOAT, None)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(
        helper.make_graph([node], "g", given, [out], kept), opset_imports=opsets, ir_version=8
    )
    onnx.save(model, path)
    return path


def test_experts_of_few_tokens_are_not_all_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.onnx",
        "MoE",
        {"x": (FLOAT, (1, 3, 8)), "r": (FLOAT, (3, 16))},
        {"up": (16, 32, 8), "down": (16, 8, 32)},
        ["x", "r", "up", "", "down"],
        k=2,
    )
    costs = costs_of_graph(path)
    assert costs.flops == 3 * 2 * 2 * (32 * 8 + 8 * 32)
    assert costs.weight_bytes == 4 * 16 * 2 * 32 * 8
    assert costs.touched_weight_bytes == costs.weight_bytes * 6 // 16
    assert costs.unknown_nodes == ()


def test_weights_of_four_bits_are_packed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.onnx",
        "QMoE",
        {
            "x": (FLOAT, (5, 8)),
            "r": (FLOAT, (5, 4)),
            "s": (FLOAT, (4, 32)),
            "t": (FLOAT, (4, 8)),
        },
        {"up": (4, 32, 4), "down": (4, 8, 16)},  # 32 x 8 and 8 x 32 weights of half a byte
        ["x", "r", "up", "s", "", "down", "t"],
        k=1,
        expert_weight_bits=4,
    )
    costs = costs_of_graph(path)
    assert costs.flops == 5 * 2 * (32 * 8 + 8 * 32)
    assert costs.unknown_nodes == ()


@pytest.mark.parametrize(("lengths", "squares"), [("0,3,7", 9 + 16), ("0,7,7", 49)])
def test_packed_sequences_attend_within_themselves(
    tmp_path: Path, lengths: str, squares: int
) -> None:
    path = write(
        tmp_path / "g.onnx",
        "PackedAttention",
        {"x": (FLOAT, (7, 8)), "offset": (INT32, (2, 7)), "sums": (INT32, (3,))},
        {"w": (8, 24), "b": (24,)},
        ["x", "w", "b", "offset", "sums"],
        num_heads=2,
    )
    costs = costs_of_graph(path, values={"sums": GivenValues.parse(lengths)})
    assert costs.flops == 2 * 7 * 8 * 24 + BOTH * 2 * squares * 8
    assert costs.unknown_nodes == ()


@pytest.mark.parametrize(("total", "n_keys"), [("10", 10), ("6", 6)])
def test_a_shared_cache_counts_as_far_as_it_is_full(
    tmp_path: Path, total: str, n_keys: int
) -> None:
    cache = (FLOAT, (1, 2, 16, 8))
    path = write(
        tmp_path / "g.onnx",
        "GroupQueryAttention",
        {
            "q": (FLOAT, (1, 1, 32)),
            "k": (FLOAT, (1, 1, 16)),
            "v": (FLOAT, (1, 1, 16)),
            "past_key": cache,
            "past_value": cache,
            "lens": (INT32, (1,)),
            "total": (INT32, ()),
        },
        {},
        ["q", "k", "v", "past_key", "past_value", "lens", "total"],
        num_heads=4,
        kv_num_heads=2,
    )
    costs = costs_of_graph(path, values={"total": GivenValues.parse(total)})
    assert costs.flops == BOTH * 2 * n_keys * 32


def test_a_product_without_a_kernel_for_processors_has_a_shape(tmp_path: Path) -> None:
    order = {"x": (FLOAT, (2, 3, 8)), "w": (FLOAT, (8, 5))}
    costs = costs_of_graph(write(tmp_path / "g.onnx", "GemmFastGelu", order, {}, ["x", "w"]))
    assert (costs.flops, costs.unknown_nodes) == (2 * 2 * 3 * 8 * 5, ())
    assert costs.activation_bytes == 4 * 2 * 3 * 5
