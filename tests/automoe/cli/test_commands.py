"""Commands as a user types them: output, exit codes and the one line of an error."""

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from automoe.architecture.space import SearchSpace
from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        ([], 4.178e14),
        (["--max-experts", "6"], 8.88e23),
        (["--max-experts", "6", "--fractional"], 2.20e45),
    ],
)
def test_published_counts(capsys: Capture, flags: list[str], count: float) -> None:
    code, out, _ = run(capsys, "space", "wmt14-en-de", *flags, "--json")
    assert code == 0
    assert json.loads(out)["count"] == pytest.approx(count, rel=2e-3)


def test_samples_are_distinct_and_have_costs(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "archs.jsonl"
    assert run(capsys, "sample", "--space", "tiny", "-n", 5, "--seed", 1, "-o", path)[0] == 0
    code, out, _ = run(capsys, "cost", path, "--json", "--vocab-size", 2000)
    rows = json.loads(out)
    assert code == 0
    assert len({row["id"] for row in rows}) == 5
    space = SearchSpace.preset("tiny")
    for row in rows:
        assert row["embedding_params"] in {2000 * dim for dim in space.encoder.embed_dim}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["space", "nowhere"], 2, "Unknown space 'nowhere'. Presets: wmt14-en-de"),
        (["space", "tiny", "--max-experts", "0"], 2, "'--max-experts' must be at least 1. Got 0"),
        (["cost", "missing.json"], 2, "No architecture file 'missing.json'"),
        (["log", "check", "missing.csv"], 2, "'missing.csv' does not exist"),
        (["fit", "missing.csv", "-o", "p"], 2, "'missing.csv' does not exist"),
        (["predict", "missing", "missing.csv"], 2, "'missing' does not exist"),
        (["profile", "--device", "cpu", "--log", "l.csv"], 2, "Give one of --space"),
        (
            ["profile", "--device", "toaster", "--space", "tiny", "--log", "l.csv"],
            2,
            "Unknown device 'toaster'. Installed devices:",
        ),
        (
            ["profile", "--device", "cpu", "--host", "-oX=y", "--space", "tiny", "--log", "l"],
            2,
            "A host must be a name of your ssh configuration, user@board or ssh://",
        ),
        (["train", "--space", "tiny", "-o", "r", "--data", "missing"], 2, "'missing' does not"),
        (
            ["search", "--supernet", "s", "--predictor", "p", "--budget-ms", "-1", "-o", "b"],
            2,
            "for '--budget-ms': Input should be greater than 0. Got -1.",
        ),
        (["evaluate", "missing"], 2, "No exported model in 'missing'"),
        (["run", "missing.yaml"], 2, "'missing.yaml' does not exist"),
        (["bogus"], 2, "No such command 'bogus'"),
        (["space", "tiny", "--bogus"], 2, "No such option: --bogus"),
    ],
)
def test_bad_input_is_one_clear_line(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"vocab_size": "many"}, "'vocab_size'"),
        ({"qkv_dim": 7}, "heads must divide qkv_dim=7"),
    ],
)
def test_a_bad_space_file_names_the_field(
    capsys: Capture, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "space.yaml"
    content = {**SearchSpace.preset("tiny").model_dump(mode="json"), **change}
    path.write_text(json.dumps(content))  # JSON is YAML
    code, _, err = run(capsys, "space", path)
    assert code == 2
    assert str(path) in err
    assert message in err


def test_a_width_the_space_does_not_have_is_named(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "arch.json"
    content = SearchSpace.preset("tiny").smallest().to_dict()
    content["encoder"]["layers"][0]["experts"] = [0]
    path.write_text(json.dumps(content))
    code, _, err = run(capsys, "cost", path)
    assert code == 2
    assert "'encoder.layers[0].experts' must be at least 1. Got 0" in err


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty architectures, really measured."""
    path = tmp_path_factory.mktemp("profile") / "lat.csv"
    flags = ["--device", "cpu", "--space", "tiny", "--max-experts", "3", "--fractional"]
    assert main(["profile", *flags, "-n", "20", "--fast", "--log", str(path)]) == 0
    return path


def test_a_log_is_measured_once_fitted_and_predicts(
    log: Path, capsys: Capture, tmp_path: Path
) -> None:
    flags = ["--device", "cpu", "--space", "tiny", "--max-experts", "3", "--fractional"]
    before = log.read_bytes()
    code, out, _ = run(capsys, "profile", *flags, "-n", 20, "--fast", "--log", log, "--json")
    assert code == 0
    assert json.loads(out)["n_skipped"] == 20
    assert log.read_bytes() == before
    predictor, archs, table = tmp_path / "p", tmp_path / "a.jsonl", tmp_path / "out.csv"
    code, out, _ = run(capsys, "fit", log, "-o", predictor, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["n_rows"] == 20
    of_winner = [x["mape"] for x in report["models"] if x["name"] == report["winner"]]
    assert [report["mape"]] == of_winner
    run(capsys, "sample", "--space", "tiny", "-n", 3, "-o", archs)
    assert run(capsys, "predict", predictor, archs, "-o", table)[0] == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 3
    for row in rows:
        low, predicted, up = (float(row[f"{k}_ms"]) for k in ("lower", "predicted", "upper"))
        assert 0 < low <= predicted <= up


def test_measurements_of_another_workload_do_not_mix(log: Path, capsys: Capture) -> None:
    code, _, err = run(
        capsys, "profile", "--device", "cpu", "--space", "tiny", "--beam", 2, "--log", log
    )
    assert code == 2
    assert "'workload' must be" in err
    assert "use another log" in err


def test_a_truncated_row_is_named(log: Path, capsys: Capture, tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv"
    lines = log.read_text().splitlines(keepends=True)
    torn.write_text("".join([*lines[:5], lines[5][:40] + "\n", *lines[6:]]))
    for command in (("log", "show"), ("fit",)):
        more = ("-o", tmp_path / "p") if command == ("fit",) else ()
        code, _, err = run(capsys, *command, torn, *more)
        assert code == 2
        assert f"{torn}, line 6" in err


def test_any_onnx_file_is_profiled(capsys: Capture, tmp_path: Path) -> None:
    model, log = tmp_path / "add.onnx", tmp_path / "lat.csv"
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "add",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 30])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 30])],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), model)
    flags = ("profile", "--device", "cpu", "--model", model, "--log", log, "--fast")
    code, _, err = run(capsys, *flags, "--input-shape", "x=1x29")
    assert code == 2
    assert "Input 'x' must have the shape n x 30. Got 1 x 29; correct '--input-shape x=...'." in err
    assert run(capsys, *flags, "--input-shape", "x=1x30")[0] == 0
    (row,) = csv.DictReader(log.read_text().splitlines())
    assert row["workload"] == "x=1x30"
    assert float(row["latency_ms"]) > 0


def test_an_export_says_how_near_it_is(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "arch.json"
    path.write_text(SearchSpace.preset("tiny", max_experts=2).largest().to_json())
    code, out, err = run(
        capsys, "export", path, "-o", tmp_path / "bundle", "--vocab-size", 100, "--json"
    )
    parity = json.loads(out)
    assert code == 0
    assert parity["n_different_choices"] == 0
    assert np.isfinite(parity["max_difference"])
    assert "weights are random" in err
    code, _, err = run(capsys, "export", path, "-o", tmp_path / "b", "--format", "plan")
    assert code == 2
    assert "'--format' must be onnx, tensorrt or huggingface. Got 'plan'" in err


def test_devices_and_doctor(capsys: Capture) -> None:
    code, out, _ = run(capsys, "devices", "--json")
    assert code == 0
    assert "cpu" in [device["name"] for device in json.loads(out)]
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == (4 if any(f["severity"] == "problem" for f in json.loads(out)) else 0)
