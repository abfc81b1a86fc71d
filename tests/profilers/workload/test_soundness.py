"""What `odd_models` does not hold: weights in files of their own."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.graphs import LAYER, write_graph

from profilers import WorkloadError
from profilers.workload.from_onnx import load_onnx
from profilers.workload.soundness import require_sound, require_weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = onnx.load(write_graph(tmp_path / "m.onnx", LAYER))
    for weight in model.graph.initializer:
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    return tmp_path / "m.onnx"


def test_a_sound_graph_with_its_weights_passes(path: Path) -> None:
    require_sound(load_onnx(path), path)
    require_weights(load_onnx(path), path)


def test_a_file_that_was_cut_off_is_named(path: Path) -> None:
    weights = path.with_name("w.bin")
    weights.write_bytes(weights.read_bytes()[:20])
    with pytest.raises(WorkloadError, match=r"'w.bin' is too short, which holds weight 'weight'"):
        require_weights(load_onnx(path), path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("offset", "abc", "must have a number as offset. Got 'abc'"),
        ("length", "-3", "must have a number as length. Got '-3'"),
        ("location", "", "lies in another file, but the graph does not say in which"),
    ],
)
def test_a_weight_needs_a_valid_place(path: Path, key: str, value: str, message: str) -> None:
    model = load_onnx(path)
    for entry in model.graph.initializer[0].external_data:
        entry.value = value if entry.key == key else entry.value
    for check in (require_sound, require_weights):
        with pytest.raises(WorkloadError, match=message):
            check(model, path)


def test_weights_may_be_links_to_the_folder_of_the_graph_that_is_a_link(path: Path) -> None:
    links = path.parent / "links"
    links.mkdir()
    (links / "other.onnx").symlink_to(path)
    (links / "w.bin").symlink_to(path.with_name("w.bin"))
    require_weights(load_onnx(path), links / "other.onnx")
    (links / "own.onnx").write_bytes(path.read_bytes())
    with pytest.raises(WorkloadError, match="lies outside of the folder of the graph"):
        require_weights(load_onnx(path), links / "own.onnx")


@pytest.mark.parametrize("given", [None, "20", "99999"])
def test_a_file_is_too_short_for_the_shape_of_a_weight(path: Path, given: str | None) -> None:
    # A graph need not say how many bytes of the file are a weight's: its shape does.
    model = load_onnx(path)
    for weight in model.graph.initializer:
        pairs = {x.key: x.value for x in weight.external_data if x.key != "length"}
        pairs |= {} if given is None else {"length": given}
        del weight.external_data[:]
        for key, value in pairs.items():
            weight.external_data.add(key=key, value=value)
    weights = path.with_name("w.bin")
    if given is None:
        require_weights(model, path)
        weights.write_bytes(weights.read_bytes()[:20])
    reason = r"'weight' has 20 of \d+ bytes in" if given == "20" else "'w.bin' is too short"
    with pytest.raises(WorkloadError, match=reason):
        require_weights(model, path)


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.bool_, np.float64, np.uint16])
def test_weights_of_every_width_are_whole(tmp_path: Path, dtype: type) -> None:
    path = write_graph(tmp_path / "m.onnx", "g (float[1] x) => (float[1] y) { y = Identity(x) }")
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((3, 5), dtype), "w"))
    require_weights(model, path)
    whole = model.graph.initializer[0].raw_data
    model.graph.initializer[0].raw_data = whole[:-1]
    with pytest.raises(WorkloadError, match="weight 'w' holds 14 of 15 elements"):
        require_weights(model, path)
    model.graph.initializer[0].raw_data = 2 * whole  # ONNX Runtime refuses too many, too
    with pytest.raises(WorkloadError, match="weight 'w' holds 30 of 15 elements"):
        require_weights(model, path)


def declared(*names: str) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 3, 8, 8]) for x in names]


def model_of(nodes: list[onnx.NodeProto], inputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    """A model that has one filter as its weight, and one output."""
    weight = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "k")
    output = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph(nodes, "g", inputs, [output], [weight])
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize(
    ("name", "value"), [("group", 0), ("group", -1), ("strides", [-1, 1]), ("dilations", [0, 1])]
)
def test_a_convolution_that_nothing_can_run_is_refused(
    tmp_path: Path, operator: str, name: str, value: object
) -> None:
    node = helper.make_node(operator, ["x", "k"], ["y"], name="odd", **{name: value})
    model = model_of([node], declared("x"))
    with pytest.raises(
        WorkloadError, match=f"'odd' .{operator}.* '{name}' must be at least 1. Got"
    ):
        require_sound(model, tmp_path / "m.onnx")


RELU = helper.make_node("Relu", ["x"], ["y"])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (model_of([RELU], declared("x", "x")), "Duplicate definition-site for .x."),
        (
            model_of(
                [helper.make_node("Relu", [a], [b], name="n") for a, b in ("xz", "zy")],
                declared("x"),
            ),
            "two nodes with same node name .n.",
        ),
        (
            model_of([helper.make_node("Relu", ["x"], ["k"]), RELU], declared("x")),
            "Duplicate definition of name .k.",
        ),
    ],
)
def test_what_the_runtime_calls_invalid_is_refused(
    tmp_path: Path, model: onnx.ModelProto, reason: str
) -> None:
    session = pytest.importorskip("onnxruntime").InferenceSession
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        session(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with pytest.raises(WorkloadError, match=f"m.onnx: .*{reason}"):
        require_sound(model, tmp_path / "m.onnx")


def test_a_newer_model_and_an_unknown_operator_pass(tmp_path: Path) -> None:
    newer = model_of([RELU], declared("x"))
    newer.ir_version = 99
    require_sound(newer, tmp_path / "m.onnx")
    own = model_of([helper.make_node("Own", ["x"], ["y"], domain="own")], declared("x"))
    own.opset_import.append(helper.make_opsetid("own", 1))
    require_sound(own, tmp_path / "m.onnx")


def test_an_attribute_of_an_unknown_operator_may_have_any_value(tmp_path: Path) -> None:
    own = model_of([helper.make_node("Own", ["x"], ["y"], domain="own", group=0)], declared("x"))
    own.opset_import.append(helper.make_opsetid("own", 1))
    require_sound(own, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("kind", "outputs", "attributes"),
    [
        (TensorProto.INT64, ["y"], {}),
        (TensorProto.FLOAT, ["y", "z"], {}),
        (TensorProto.FLOAT, ["y"], {"flavour": 3}),
    ],
)
def test_what_a_later_runtime_may_take_of_its_own_operators_passes(
    tmp_path: Path, kind: int, outputs: list[str], attributes: dict[str, int]
) -> None:
    inputs = [helper.make_tensor_value_info(name, kind, [4]) for name in "xb"]
    node = helper.make_node("BiasGelu", ["x", "b"], outputs, domain="com.microsoft", **attributes)
    model = model_of([node], inputs)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    require_sound(model, tmp_path / "m.onnx")


def test_the_weights_of_a_branch_may_lie_in_another_file(tmp_path: Path) -> None:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[8, 2])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="w.bin")
    bodies = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [side])],
            side,
            [],
            [helper.make_tensor_value_info(side, TensorProto.FLOAT, None)],
            [weight],
        )
        for side in ("then", "else")
    }
    pick = helper.make_tensor_value_info("pick", TensorProto.BOOL, [])
    model = model_of([helper.make_node("If", ["pick"], ["y"], **bodies)], [*declared("x"), pick])
    require_sound(model, tmp_path / "m.onnx")
