"""Weights that decide a shape, and lie in a file beside the graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers import costs_of_graph
from profilers.workload.stored_weights import stored_array

FLOPS = 2 * 3 * 8 * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A graph that reshapes its input to a stored shape; all weights are in one other file."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.ones((8, 2), np.float32), "w"),
        numpy_helper.from_array(np.array([3, 8]), "shape"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    file = tmp_path / "g.onnx"
    onnx.save(model, file, save_as_external_data=True, location="w.bin", size_threshold=0)
    return file


def test_a_shape_in_another_file_is_read(path: Path) -> None:
    costs = costs_of_graph(path)
    assert (costs.flops, costs.unknown_nodes) == (FLOPS, ())


def test_a_shape_whose_file_is_missing_is_the_reason(path: Path) -> None:
    path.with_name("w.bin").unlink()
    costs = costs_of_graph(path)
    assert costs.flops == 0
    assert costs.unknown_nodes[0].endswith(
        "is unknown, because 'w.bin' is missing, which holds weight 'shape'"
    )


def test_a_shape_without_data_is_the_reason(path: Path) -> None:
    model = onnx.load(path)
    model.graph.initializer[1].ClearField("raw_data")
    onnx.save(model, path)
    (reason, _) = costs_of_graph(path).unknown_nodes
    assert reason.endswith("is unknown, because weight 'shape' holds 0 of 2 elements")


def test_a_file_of_another_folder_is_not_read(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path.rename(other / "g.onnx")
    model = onnx.load(other / "g.onnx", load_external_data=False)
    for entry in model.graph.initializer[1].external_data:
        entry.value = "../w.bin" if entry.key == "location" else entry.value
    onnx.save(model, other / "g.onnx")
    assert stored_array(model.graph.initializer[1], other / "g.onnx") is None
    assert "lies outside of the folder" in costs_of_graph(other / "g.onnx").unknown_nodes[0]
