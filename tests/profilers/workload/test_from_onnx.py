from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.graphs import DIGIT, LAYER, write_graph

from profilers import (
    TensorSpec,
    WorkloadError,
    costs_of_graph,
    open_onnx_workload,
    require_measurable,
    workload_for_onnx,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def with_input(path: Path, value: onnx.ValueInfoProto) -> Path:
    """A model with one input, which need not be runnable."""
    node = helper.make_node("Identity", [value.name], ["y"])
    opset = helper.make_opsetid("", 17)
    graph = helper.make_graph([node], "g", [value], [])
    onnx.save(helper.make_model(graph, opset_imports=[opset]), path)
    return path


def test_every_input_gets_a_tensor_of_its_type_and_shape(path: Path) -> None:
    workload = workload_for_onnx(write_graph(path, DIGIT), dims={"past": 4})
    assert workload.graphs == {"model": str(path.resolve())}
    (call,) = workload.calls
    assert (call.name, call.repeat, call.carry) == ("model", 1, {})
    assert call.inputs == {
        "digit": TensorSpec("int64", (1,), values=(0,)),
        "number": TensorSpec("float32", (1,), seed=1),
        "cache": TensorSpec("float32", (4,), seed=2),
    }


def test_weights_are_no_inputs_even_where_old_graphs_list_them(path: Path) -> None:
    model = onnx.load(write_graph(path, LAYER))
    model.graph.input.append(helper.make_tensor_value_info("bias", TensorProto.FLOAT, [2]))
    onnx.save(model, path)
    assert list(workload_for_onnx(path).calls[0].inputs) == ["x"]


def test_weights_in_a_file_of_their_own_are_not_read(path: Path) -> None:
    model = onnx.load(write_graph(path, LAYER))
    for weight in model.graph.initializer:  # only raw bytes go into a file of their own
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()
    assert list(workload_for_onnx(path).calls[0].inputs) == ["x"]


def test_symbolic_and_unnamed_dimensions_are_one_unless_given(path: Path) -> None:
    shape = ["batch", None, 5]
    with_input(path, helper.make_tensor_value_info("x", TensorProto.FLOAT16, shape))
    assert workload_for_onnx(path).calls[0].inputs["x"].shape == (1, 1, 5)
    assert workload_for_onnx(path, dims={"batch": 0}).calls[0].inputs["x"].shape == (0, 1, 5)


@pytest.mark.parametrize("shape", [(2, 30), (2, 30, 4), (2, 30, 5, 1), (2, 30, 5, 5)])
def test_another_shape_than_the_declared_one_is_refused_with_both(
    path: Path, shape: tuple[int, ...]
) -> None:
    with_input(path, helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None, 5]))
    given = " x ".join(map(str, shape))
    with pytest.raises(WorkloadError, match=rf"must have the shape batch x \? x 5. Got {given};"):
        workload_for_onnx(path, shapes={"x": shape})


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"batsh": 2}, "Unknown dimension 'batsh'. Dimensions of .*model.onnx: batch."),
        ({"": 2}, "Unknown dimension ''. Dimensions of .*model.onnx: batch."),
        ({"batch": -1}, "Dimension 'batch' must not be negative. Got -1."),
    ],
)
def test_an_impossible_dimension_is_refused(path: Path, dims: dict[str, int], message: str) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None])
    with pytest.raises(WorkloadError, match=message):
        workload_for_onnx(with_input(path, value), dims=dims)


@pytest.mark.parametrize(
    "value",
    [
        helper.make_tensor_value_info("x", TensorProto.STRING, [1]),
        helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [1]),
        helper.make_tensor_value_info("x", TensorProto.UNDEFINED, [1]),
        helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1]),
    ],
)
def test_an_input_that_is_no_plain_tensor_is_refused(
    path: Path, value: onnx.ValueInfoProto
) -> None:
    with pytest.raises(
        WorkloadError, match="Input 'x' must (be a tensor|have an element type).* Got .*"
    ):
        workload_for_onnx(with_input(path, value))


def test_an_input_of_unknown_rank_is_refused(path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    with_input(path, value)
    assert workload_for_onnx(path, shapes={"x": (2, 3)}).calls[0].inputs["x"].shape == (2, 3)
    with pytest.raises(WorkloadError, match="Input 'x' declares no shape. Give --input-shape x="):
        workload_for_onnx(with_input(path, value))


def test_a_scalar_is_a_tensor_without_dimensions(path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.BOOL, [])
    inputs = workload_for_onnx(with_input(path, value)).calls[0].inputs
    assert inputs == {"x": TensorSpec("bool", (), values=(True,))}


def test_a_file_that_is_not_onnx_is_refused(path: Path) -> None:
    path.write_text("These are words, and no graph at all.")
    with pytest.raises(WorkloadError, match="model.onnx is not ONNX: .* Export the model as ONNX."):
        workload_for_onnx(path)


def test_a_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="model.onnx"):
        workload_for_onnx(path)


@pytest.mark.parametrize(
    ("shapes", "mask"),
    [
        ({"x": (1, 31)}, (1, 32)),
        ({"x": (1, 31), "mask": (1, 40)}, (1, 40)),
        ({}, (1, 1)),
    ],
)
def test_a_sum_of_symbols_has_the_size_of_the_sum(
    path: Path, shapes: dict[str, tuple[int, ...]], mask: tuple[int, ...]
) -> None:
    declared = [("x", ["batch", "past"]), ("mask", ["batch", "past + 1"]), ("z", ["q + past"])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, d) for name, d in declared]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Abs", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "decoder", inputs, [output])
    onnx.save(helper.make_model(graph), path)
    (call,) = workload_for_onnx(path, shapes=shapes).calls
    assert (call.inputs["mask"].shape, call.inputs["z"].shape) == (mask, (1,))


@pytest.mark.parametrize(("ir_version", "opset", "n_notes"), [(8, 17, 0), (99, 17, 1), (8, 99, 1)])
def test_a_graph_that_is_newer_than_onnx_is_said(
    path: Path, ir_version: int, opset: int, n_notes: int
) -> None:
    model = onnx.load(write_graph(path, LAYER))
    model.ir_version = ir_version
    model.opset_import[0].version = opset
    onnx.save(model, path)
    notes = open_onnx_workload(path).notes
    assert len(notes) == n_notes
    assert all(f"IR version {ir_version} and opset {opset}, newer than" in note for note in notes)


def test_a_graph_without_outputs_is_not_measured(path: Path) -> None:
    model = onnx.load(write_graph(path, LAYER))
    del model.graph.output[:]
    onnx.save(model, path)
    with pytest.raises(WorkloadError, match="declares no outputs"):
        require_measurable(open_onnx_workload(path), path)


def test_the_long_name_of_the_domain_of_onnx_is_the_short_one(path: Path) -> None:
    model = onnx.load(write_graph(path, LAYER))
    expected = costs_of_graph(path).flops
    for each in (*model.graph.node, *model.opset_import):
        each.domain = "ai.onnx"
    onnx.save(model, path)
    onnxruntime.InferenceSession(path)  # it takes such a model
    workload_for_onnx(path)
    assert costs_of_graph(path).flops == expected > 0


@pytest.mark.parametrize(
    ("opset", "body"),
    [
        (13, "q = Squeeze(v, zero) r = MatMul(q, w)"),
        (11, "q = Squeeze<axes = [0]>(v) r = MatMul(q, w)"),  # another form of the operator
    ],
)
def test_a_function_of_another_version_is_looked_into(path: Path, opset: int, body: str) -> None:
    text = f"""<ir_version: 8, opset_import: ["": 17, "own": 1]>
    g (float[1, 3, 4] x) => (float[3, 2] y)
    <float[4, 2] w = {{1, 1, 1, 1, 1, 1, 1, 1}}, int64[1] zero = {{0}}>
    {{ y = own.layer(x, w, zero) }}
    <domain: "own", opset_import: ["": {opset}]> layer (v, w, zero) => (r) {{ {body} }}"""
    onnx.save(onnx.parser.parse_model(text), path)
    assert costs_of_graph(path).flops == 2 * 3 * 4 * 2


def test_a_pointer_of_git_lfs_is_said_to_be_one(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n")
    with pytest.raises(WorkloadError, match="is a pointer of Git LFS, not the model. Fetch"):
        workload_for_onnx(path)
