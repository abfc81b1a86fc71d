import json
from pathlib import Path

import onnx
import pytest
from support.graphs import DOUBLE, LAYER, write_graph

from profilers import WorkloadError, workload_for_onnx
from profilers.workload.files import external_locations, workload_files


def with_external_data(path: Path, location: str) -> Path:
    """LAYER with all its weights in a file beside it."""
    model = onnx.load(write_graph(path, LAYER))
    data = b""
    for tensor in model.graph.initializer:
        raw = onnx.numpy_helper.to_array(tensor).tobytes()
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", len(data)), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
        data += raw
    path.with_name("w.bin").write_bytes(data)
    path.write_bytes(model.SerializeToString())
    return path


def workload(folder: Path, graph: Path) -> Path:
    workload_for_onnx(graph, dims={"batch": 2}).save(folder / "w.json")
    return folder / "w.json"


def test_graphs_stay_beside_their_weights(tmp_path: Path) -> None:
    graph = with_external_data(tmp_path / "layer.onnx", "w.bin")
    found = workload_files(workload(tmp_path, graph))
    name = json.loads(found.document)["graphs"]["model"]
    folder, _, file = name.partition("/")
    assert file == "layer.onnx"
    assert found.files == {name: graph, f"{folder}/w.bin": tmp_path / "w.bin"}


def test_links_are_sent_under_the_names_that_a_graph_tells(tmp_path: Path) -> None:
    graph = with_external_data(tmp_path / "blob", "w.bin")
    (tmp_path / "w.bin").rename(tmp_path / "data")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/layer.onnx").symlink_to(graph)
    (tmp_path / "links/w.bin").symlink_to(tmp_path / "data")
    sent = workload_files(workload(tmp_path, tmp_path / "links/layer.onnx")).files
    assert [name.partition("/")[2] for name in sent] == ["layer.onnx", "w.bin"]
    assert [path.resolve() for path in sent.values()] == [graph, tmp_path / "data"]


def test_nothing_but_the_names_of_graphs_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    workload_for_onnx(write_graph(tmp_path / "d.onnx", DOUBLE), dims={"n": 3}).save(path)
    sent, original = json.loads(workload_files(path).document), json.loads(path.read_text())
    assert sent.pop("graphs") != original.pop("graphs")
    assert sent == original


def test_weights_of_branches_and_constants_are_found(tmp_path: Path) -> None:
    def stored(name: str, location: str) -> onnx.TensorProto:
        tensor = onnx.TensorProto(name=name, data_type=1, dims=[1], data_location=1)
        tensor.external_data.add(key="location", value=location)
        return tensor

    then = onnx.helper.make_graph([], "then", [], [], [stored("a", "branch.bin")])
    node = onnx.helper.make_node("Constant", [], ["c"], value=stored("b", "constant.bin"))
    branch = onnx.helper.make_node("If", ["x"], ["y"], then_branch=then)
    graph = onnx.helper.make_graph([node, branch], "g", [], [])
    path = tmp_path / "g.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert external_locations(path) == ("branch.bin", "constant.bin")


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", "link"])
def test_a_model_cannot_make_us_send_other_files(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_text("key")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/link").symlink_to(tmp_path / "secret")
    graph = with_external_data(tmp_path / "models/layer.onnx", location)
    with pytest.raises(WorkloadError, match="must keep its data in its own folder. Got"):
        workload_files(workload(tmp_path, graph))
