import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.small_text import small_space

from automoe.cli.main import main
from automoe.latency import architecture_profiling as profiling
from automoe.latency.architecture_profiling import ProfileSummary
from profilers import FailedPoint, Protocol, read_log

Capture = pytest.CaptureFixture[str]


def open_model(inner: int | None = None) -> onnx.ModelProto:
    """A model with open sizes; with ``inner`` it makes rows of so many numbers."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Exp", ["x"], ["y"])]
    weights = []
    if inner is not None:
        weights = [onnx.numpy_helper.from_array(np.array([-1, inner], np.int64), "shape")]
        nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks of the library, which measures nothing."""
    calls: list[dict[str, Any]] = []

    def record(architectures: Any, **settings: Any) -> ProfileSummary:
        calls.append({"architectures": architectures, **settings})
        return ProfileSummary(1, 0, 0, (FailedPoint("a1", "it broke", {}),), {"B": 1})

    monkeypatch.setattr(profiling, "profile_architectures", record)
    return calls


def test_profile_then_log_then_check(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    flags = ["--device", "cpu", "--space", "tiny", "-n", "3", "--fast", "--threads", "1"]
    assert main(["profile", *flags, "--log", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_measured"] == 3
    assert {row["space"] for row in read_log(log)} == {"tiny"}
    assert not list(tmp_path.glob("*.graphs"))
    assert main(["log", "check", str(log), "--json"]) == 4  # three rows cannot be fitted
    problems = json.loads(capsys.readouterr().out)
    assert [x["check"] for x in problems if x["severity"] == "problem"] == ["fit"]
    # All three are there, and still another workload is not taken for measured.
    assert main(["profile", *flags, "--log", str(log), "--beam", "2"]) == 2
    assert "'workload' must be" in capsys.readouterr().err


def test_some_failures_are_named_and_exit_partial(
    calls: list[dict[str, Any]], capsys: Capture, tmp_path: Path
) -> None:
    log = str(tmp_path / "l.csv")
    assert main(["profile", "--device", "cpu", "--space", "tiny", "-n", "2", "--log", log]) == 3
    printed = capsys.readouterr()
    assert "a1 could not be measured: it broke" in printed.err
    assert printed.out == f"{log}: 1 measured (quality 1 B; 0 flagged), 0 there before, 1 failed\n"


def test_a_measured_model_is_told_with_its_interval(capsys: Capture, tmp_path: Path) -> None:
    model, log = tmp_path / "m.onnx", tmp_path / "m.csv"
    onnx.save(open_model(), model)
    command = ["profile", "--device", "cpu", "--model", str(model), "--fast", "--log", str(log)]
    for _ in range(2):  # also when it was there before
        assert main(command) == 0
        printed = capsys.readouterr()
        (row,) = read_log(log)
        shown = printed.out.splitlines()[-1].split()
        low, high = float(shown[2]), float(shown[4])
        assert shown[0] == row["point_id"]
        assert shown[1] == f"{float(row['latency_ms']):.4g}"
        assert 0.99 * float(row["ci_low_ms"]) < low <= float(row["ci_low_ms"])
        assert float(row["ci_high_ms"]) <= high < 1.01 * float(row["ci_high_ms"])
    assert main([*command, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["rows"]
    assert (told["point_id"], told["latency_ms"]) == (row["point_id"], float(row["latency_ms"]))
    assert told["flags"] == [flag for flag in row["flags"].split(";") if flag]


def test_sizes_that_nobody_gave_are_named_with_the_option(capsys: Capture, tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    onnx.save(open_model(inner=8), model)  # a length of 1 makes no rows of 8
    command = ["profile", "--device", "cpu", "--model", str(model), "--log", str(tmp_path / "l")]
    assert main(command) == 2
    note, error = capsys.readouterr().err.splitlines()
    assert note == (
        "Open sizes of input 'x' are taken as 1: 'batch', 'length'. --input-shape x=1x30 gives "
        "others."
    )
    assert error.startswith("Error: ")
    assert "--input-shape" in error


@pytest.mark.parametrize(("n_disturbed", "is_told"), [(2, True), (1, False)])
def test_rows_that_are_all_disturbed_come_with_a_remedy(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_disturbed: int,
    is_told: bool,
) -> None:
    def measured(architectures: Any, **settings: Any) -> ProfileSummary:
        flags = {"contended": n_disturbed, "ci_unmet": 2}
        return ProfileSummary(2, 0, 2, (), {"C": 2}, n_disturbed=n_disturbed, flags=flags)

    monkeypatch.setattr(profiling, "profile_architectures", measured)
    log = str(tmp_path / "l.csv")
    command = ["profile", "--device", "cpu", "--space", "tiny", "-n", "2", "--log", log]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert ("Both rows are disturbed" in told) is is_told
    assert ("contended: other programs used the cores; end them" in told) is is_told
    assert ("Next: automoe doctor --device cpu; then measure into another" in told) is is_told


@pytest.mark.parametrize(
    ("flags", "protocol"),
    [
        ([], Protocol()),
        (["--target", "0.1"], Protocol(target_half_width=0.1)),
        (["--fast", "--target", "0.1"], replace(Protocol.fast(), target_half_width=0.1)),
        (["--threads", "2", "--seed", "5"], Protocol(threads=2, seed=5)),
    ],
)
def test_flags_set_the_protocol(
    calls: list[dict[str, Any]], tmp_path: Path, flags: list[str], protocol: Protocol
) -> None:
    log = str(tmp_path / "l.csv")
    main(["profile", "--device", "cpu", "--space", "tiny", "-n", "1", "--log", log, *flags])
    assert calls[0]["protocol"] == protocol


def test_given_architectures_have_no_space(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(small_space().smallest().to_json())
    flags = ["--archs", str(path), "--src-len", "7", "--log", str(tmp_path / "l.csv")]
    main(["profile", "--device", "cpu", *flags])
    (call,) = calls
    assert call["architectures"] == [small_space().smallest()]
    assert call["space"] is None
    expected = "src=7 tgt=30 vocab=32768 tables=1 beam=1 routing=balanced"
    assert str(call["workload"]) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--space", "tiny", "--archs", "a.json"], "Give one of --space, --archs and --model"),
        (
            ["--space", "tiny", "--target", "-1"],
            "'--target' must be a share such as 3% or 0.03. Got '-1'",
        ),
        (["--space", "tiny", "--routing", "odd"], "'routing' must be balanced, worst, best"),
        (
            ["--space", "tiny", "--runtime", "tensorrt"],
            "'runtime' of device 'cpu' must be onnxruntime. Got 'tensorrt'",
        ),
        (
            ["--space", "tiny", "--precision", "fp16"],
            "must be one of fp32, int8, int8-weights, int4-weights. Got 'fp16'; processors",
        ),
        (["--archs", "missing.json"], "'missing.json' does not exist. Check the path."),
        (["--model", "missing.onnx"], "'missing.onnx' does not exist"),
    ],
)
def test_bad_flags_are_one_clear_line(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "--device", "cpu", "--log", "l.csv", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--archs", "a.jsonl", "--until", "3%"], "'--until' chooses architectures itself: give"),
        (["--space", "tiny", "--minutes", "3"], "'--minutes' is the limit of '--until': give both"),
        (
            ["--model", "m.onnx", "--beam", "5", "--precision", "int8"],
            "'--beam', '--precision' can",
        ),
        (["--model", "m.onnx", "--batch", "8"], "give --input-shape NAME=8x..."),
        (["--archs", "a.jsonl", "-n", "3"], "'-n' cannot be combined with '--archs'"),
        (["--space", "tiny", "--input-shape", "x=1"], "'--input-shape' is for '--model'. Got"),
        (["--space", "tiny", "--input", "x=1"], "'--input' is for '--model'. Got"),
        (["--space", "tiny", "--input-file", "x=a.npy"], "'--input-file' is for '--model'. Got"),
        (["--space", "tiny", "--until", "3"], "'--until' must be a share such as 3% or 0.03"),
        (["--space", "tiny", "--reference", "no.csv"], "'no.csv' does not exist"),
        (["--space", "tiny", "--host", "a@b", "--host", "a@b"], "each machine once. Got a@b again"),
        (["--model", "m.onnx", "--host", "a", "--host", "b"], "is measured on one host. Got 2"),
    ],
)
def test_flags_that_do_not_fit_together(
    capsys: Capture, tmp_path: Path, flags: list[str], message: str
) -> None:
    assert main(["profile", "--device", "cpu", "--log", str(tmp_path / "l.csv"), *flags]) == 2
    assert message in capsys.readouterr().err


def test_rounds_bound_both_ends(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    log = str(tmp_path / "l.csv")
    flags = ["--device", "cpu", "--space", "tiny", "-n", "2", "--log", log, "--rounds", "2"]
    assert main(["profile", *flags]) == 3
    protocol = calls[0]["protocol"]
    assert (protocol.min_rounds, protocol.max_rounds) == (2, 2)


@pytest.mark.slow
def test_profiling_until_a_predictor_is_good_enough(capsys: Capture, tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    flags = ["--device", "cpu", "--space", "tiny", "--fast", "--until", "40%", "--json"]
    assert main(["profile", *flags, "--log", str(log)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_reached"]
    assert found["n_rows"] == len(read_log(log)) == 24 + 16  # 16 fresh rows confirm the error
    assert found["mape"] < 0.4


def test_a_number_out_of_range_is_named(capsys: Capture, tmp_path: Path) -> None:
    flags = ["--device", "cpu", "--space", "tiny", "--log", str(tmp_path / "l.csv")]
    assert main(["profile", *flags, "--rounds", "1"]) == 2
    message = "for '--rounds': Input should be greater than or equal to 2. Got 1."
    assert message in capsys.readouterr().err
