from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from automoe.deployed.sessions import open_session
from automoe.export.integer_weights import (
    BITS,
    BLOCK,
    INT8_LIMIT,
    INTEGERS,
    integer_shapes,
    rounded_weight,
)


@pytest.fixture
def weight() -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).standard_normal((6, 80)).astype(np.float32)
    drawn[2] = 0  # an output that is always zero
    return drawn


@pytest.mark.parametrize("precision", INTEGERS)
def test_shapes_are_those_of_the_arrays(weight: NDArray[np.float32], precision: str) -> None:
    integers, steps = rounded_weight(weight, precision)
    assert integer_shapes(*weight.shape, precision) == (integers.shape, steps.shape)


def test_int8_is_within_half_a_step_of_the_weight(weight: NDArray[np.float32]) -> None:
    integers, steps = rounded_weight(weight, "int8")
    assert integers.dtype == np.int8
    assert np.abs(integers).max(axis=0).tolist() == [64, 64, 0, 64, 64, 64]
    assert (np.abs(integers.T * steps[:, None] - weight) <= 0.5001 * steps[:, None]).all()


def test_two_products_fit_into_16_bits() -> None:
    # Without VNNI, two products of an activation (0 to 255) and a weight are added in 16 bits.
    assert np.iinfo(np.int16).max >= 2 * 255 * INT8_LIMIT


@pytest.mark.parametrize("precision", BITS)
def test_blocks_are_what_the_runtime_reads(
    weight: NDArray[np.float32], precision: str, tmp_path: Path
) -> None:
    integers, steps = rounded_weight(weight, precision)
    n_outputs, n_inputs = weight.shape
    node = helper.make_node(
        "MatMulNBits",
        ["x", "integers", "steps"],
        ["y"],
        domain="com.microsoft",
        N=n_outputs,
        K=n_inputs,
        bits=BITS[precision],
        block_size=BLOCK,
    )
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [n_inputs, n_inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [n_inputs, n_outputs])],
        [numpy_helper.from_array(integers, "integers"), numpy_helper.from_array(steps, "steps")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.save(model, tmp_path / "product.onnx")
    session = open_session(tmp_path / "product.onnx")
    (read,) = session.run(None, {"x": np.eye(n_inputs, dtype=np.float32)})
    # A large weight may be one step off, where its sign is that of the highest integer.
    step = np.abs(steps).repeat(BLOCK, axis=1)[:, :n_inputs]
    assert (np.abs(read.T - weight) <= 0.5001 * step + 1e-7).mean() > 0.98
    assert (np.abs(read.T - weight) <= 1.0001 * step + 1e-7).all()
    assert read.T[2].tolist() == [0.0] * n_inputs
