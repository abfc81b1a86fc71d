import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.small_text import small_space

from automoe.cli.main import main
from automoe.latency import architecture_profiling as profiling
from automoe.latency.architecture_profiling import ProfileSummary
from profilers import FailedPoint, Protocol, read_log

Capture = pytest.CaptureFixture[str]


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
            "'precision' with runtime onnxruntime must be fp32 or int8. Got 'fp16'; processors",
        ),
        (["--archs", "missing.json"], "No architecture file 'missing.json'"),
        (["--model", "missing.onnx"], "'missing.onnx': No such file"),
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
        (["--archs", "a.jsonl", "-n", "3"], "'-n' cannot be combined with '--archs'"),
        (["--space", "tiny", "--input-shape", "x=1"], "'--input-shape' is for '--model'. Got"),
        (["--space", "tiny", "--input", "x=1"], "'--input' is for '--model'. Got"),
        (["--space", "tiny", "--input-file", "x=a.npy"], "'--input-file' is for '--model'. Got"),
        (["--space", "tiny", "--until", "3"], "'--until' must be a share such as 3% or 0.03"),
        (["--space", "tiny", "--reference", "no.csv"], "no.csv does not exist"),
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
