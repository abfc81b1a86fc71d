import json
from pathlib import Path

import onnx
import pytest
from support.graphs import DIGIT, LAYER, write_graph

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import cost
from automoe.cli.main import main
from profilers import Call, TensorSpec, Workload, costs_of_graph, costs_of_workload

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "layer.onnx", LAYER)


@pytest.fixture
def workload(graph: Path) -> Path:
    x = TensorSpec("float32", (4, 3), seed=0)
    path = graph.with_name("layer.workload.json")
    Workload({"g": graph.name}, (Call("run", "g", repeat=2, inputs={"x": x}),)).save(path)
    return path


def test_a_graph_in_json(capsys: Capture, graph: Path) -> None:
    assert main(["cost", str(graph), "--dim", "batch=4", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == costs_of_graph(graph, dims={"batch": 4}).to_dict()
    assert printed.err == ""
    assert main(["cost", str(graph), "--input-shape", "x=4x3", "--json"]) == 0
    assert capsys.readouterr().out == printed.out


def test_a_graph_in_lines(capsys: Capture, graph: Path) -> None:
    assert main(["cost", str(graph), "--dim", "batch=4"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["flops"] == "48"
    assert lines["weight_bytes"] == "48"
    assert lines["operators"].startswith("1 MatMul, 1 Add")
    assert lines["unknown_nodes"] == "0"


def test_several_dimensions_and_shapes(capsys: Capture, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", DIGIT)
    flags = ["--input-shape", "digit=1", "--input-shape", "number=1", "--dim", "past=5"]
    assert main(["cost", str(path), *flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["activation_bytes"] == 3 * 4 + 6 * 4


def test_unknown_nodes_are_said_and_listed(capsys: Capture, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", "g (float[2] x) => (int64[1, m] y) { y = NonZero(x) }")
    assert main(["cost", str(path), "--json"]) == 0
    printed = capsys.readouterr()
    reason = "NonZero 'y': the shape of its output 'y' is computed from data"
    assert json.loads(printed.out)["unknown_nodes"] == [reason]
    (line,) = printed.err.splitlines()
    assert line.startswith(
        f"The figures are lower bounds. Unknown nodes: 1, the first is {reason}."
    )


def test_a_workload(capsys: Capture, workload: Path) -> None:
    assert main(["cost", str(workload), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == costs_of_workload(workload).to_dict()
    assert content["flops"] == 2 * 48


def test_an_architecture_has_its_closed_form(
    capsys: Capture, tmp_path: Path, sparse: Architecture
) -> None:
    path = tmp_path / "arch.json"
    path.write_text(sparse.to_json())
    assert main(["cost", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": sparse.id, **cost(sparse).to_dict()}
    flags = ["--src-len", "7", "--tgt-len", "5", "--vocab-size", "99"]
    assert main(["cost", str(path), *flags, "--json"]) == 0
    expected = cost(sparse, src_len=7, tgt_len=5, vocab_size=99).to_dict()
    assert json.loads(capsys.readouterr().out) == {"id": sparse.id, **expected}


@pytest.mark.parametrize(
    ("file", "flags", "message"),
    [
        ("a.onnx", ["--src-len", "3", "--vocab-size", "9"], "A graph takes no --src-len, --vocab"),
        ("a.workload.json", ["--dim", "n=3"], "A workload takes no --dim. Got 'a.workload.json'."),
        ("a.workload.json", ["--tgt-len", "3"], "A workload takes no --tgt-len."),
        ("a.json", ["--input-shape", "x=3"], "An architecture takes no --input-shape."),
        (
            "a.onnx",
            ["--input-shape", "x=3by4"],
            "'--input-shape' must read like name=1x30 or name=1x{30,60}. Got",
        ),
        ("a.onnx", ["--dim", "b=2", "--dim", "b=3"], "'--dim' is given twice for 'b'. Remove one."),
        ("a.onnx", ["--input-shape", "x=1", "--input-shape", "x=1"], "twice for 'x'. Remove one."),
        ("a.onnx", ["--dim", "30"], "'--dim' must read like name=30. Got '30'."),
        ("a.onnx", [], "'a.onnx': No such file or directory. Check the path."),
        ("a.workload.json", [], "'a.workload.json': No such file or directory. Check the path."),
    ],
)
def test_what_does_not_apply_is_refused_in_one_line(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["cost", file, *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_dimension_that_the_graph_lacks_is_refused(capsys: Capture, graph: Path) -> None:
    assert main(["cost", str(graph), "--dim", "length=3"]) == 2
    assert "Unknown dimension 'length'. Dimensions of" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--src-len", "--tgt-len", "--vocab-size"])
def test_a_size_beyond_all_machines_is_refused_in_one_line(
    capsys: Capture, tmp_path: Path, option: str
) -> None:
    architecture = tmp_path / "a.json"
    architecture.write_text("{}")
    for digits in (10, 400, 5000):
        assert main(["cost", str(architecture), option, "9" * digits]) == 2
        line = capsys.readouterr().err
        assert line.startswith(f"Error: Invalid value for '{option}': ")
        assert len(line) < 250
        assert line.count("\n") == 1


def test_a_dimension_beyond_all_machines_is_refused(capsys: Capture, graph: Path) -> None:
    for flag, text in (("--dim", "batch="), ("--input-shape", "x=3x")):
        assert main(["cost", str(graph), flag, text + "9" * 400]) == 2
        assert capsys.readouterr().err.startswith(f"Error: '{flag}' must")


def test_a_graph_is_known_by_its_content_where_its_name_says_nothing(
    capsys: Capture, graph: Path, tmp_path: Path
) -> None:
    named = graph.rename(graph.with_name("model.pb"))
    assert main(["cost", str(named), "--dim", "batch=4"]) == 0
    assert "flops" in capsys.readouterr().out
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    assert main(["cost", str(tmp_path / "weights.bin")]) == 2
    assert "weights.bin is not ONNX: it has another format" in capsys.readouterr().err


def test_text_in_utf_16_is_no_graph(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", encoding="utf-16")
    assert main(["cost", str(tmp_path / "a.json")]) == 2
    assert "not ONNX" not in capsys.readouterr().err


def test_advice_is_what_helps(capsys: Capture, tmp_path: Path) -> None:
    text = 'g (float[2] a) => (float[] y) { y = Einsum<equation = "i,i,i->">(a, a, a) }'
    assert main(["cost", str(write_graph(tmp_path / "g.onnx", text))]) == 0
    assert "Its FLOPs count as 0: add them by hand." in capsys.readouterr().err
    text = """g (float[2, 4] x) => (float[a, b] y) <int64[2] shape = {1, 8}>
    { y = Reshape(x, shape) }"""
    model = onnx.load(write_graph(tmp_path / "g.onnx", text))
    model.graph.initializer[0].ClearField("int64_data")
    model.graph.initializer[0].ClearField("raw_data")
    onnx.save(model, tmp_path / "g.onnx")
    assert main(["cost", str(tmp_path / "g.onnx")]) == 0
    printed = capsys.readouterr().err
    assert "because weight 'shape' holds 0 of 2 elements. Put the data of the weight" in printed


@pytest.mark.parametrize("command", ["cost", "lint"])
def test_a_graph_without_outputs_is_refused(command: str, capsys: Capture, graph: Path) -> None:
    model = onnx.load(graph)
    del model.graph.output[:]
    onnx.save(model, graph)
    assert main([command, str(graph)]) == 2
    assert "declares no outputs, so that a runtime computes nothing" in capsys.readouterr().err
