import json
from pathlib import Path

import pytest
from support.graphs import DOUBLE, write_graph

from automoe.cli.main import main
from profilers.tensorrt import rtx_parser
from profilers.tensorrt.rtx_parser import ParserVerdict

Capture = pytest.CaptureFixture[str]
NON_ZERO = "g (float[n] x) => (int64[1, m] y) { y = NonZero(x) }"


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtx_parser, "missing_parser", lambda: "tensorrt_rtx is not installed")


@pytest.mark.usefixtures("no_parser")
def test_a_graph_that_all_take(capsys: Capture, tmp_path: Path) -> None:
    assert main(["lint", str(write_graph(tmp_path / "g.onnx", DOUBLE))]) == 0
    printed = capsys.readouterr()
    verdicts = [line for line in printed.out.splitlines() if line.startswith("TensorRT ")]
    assert verdicts == [f"TensorRT {name}: taken" for name in ("8.5", "8.6", "10", "11", "rtx")]
    assert "was not asked: tensorrt_rtx is not installed" in printed.err


@pytest.mark.usefixtures("no_parser")
def test_only_the_dialect_asked_for_counts(capsys: Capture, tmp_path: Path) -> None:
    path = str(write_graph(tmp_path / "g.onnx", NON_ZERO))
    assert main(["lint", path, "--dialect", "10"]) == 0
    assert main(["lint", path, "--dialect", "rtx"]) == 4
    assert "TensorRT rtx: refused" in capsys.readouterr().out


@pytest.mark.usefixtures("no_parser")
def test_json_holds_every_finding(capsys: Capture, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", NON_ZERO)
    assert main(["lint", str(path), "--dialect", "11", "--dialect", "rtx", "--json"]) == 4
    content = json.loads(capsys.readouterr().out)
    assert content["rtx_parser"] is None
    assert {name: x["is_taken"] for name, x in content["dialects"].items()} == {
        "11": True,
        "rtx": False,
    }
    (finding,) = [x for x in content["dialects"]["rtx"]["findings"] if x["severity"] == "refusal"]
    assert (finding["node"], finding["operator"]) == ("node 0", "NonZero")


def test_the_parser_knows_better_than_the_rules(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtx_parser, "missing_parser", lambda: None)
    monkeypatch.setattr(
        rtx_parser, "parser_verdict", lambda path: ParserVerdict("1.9", True, 3, ())
    )
    path = str(write_graph(tmp_path / "g.onnx", NON_ZERO))
    assert main(["lint", path, "--dialect", "rtx"]) == 0
    assert "TensorRT rtx: taken (its parser was asked)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.onnx"], "'none.onnx': No such file or directory"),
        (["g.onnx", "--dialect", "9"], "'dialect' must be one of 8.5, 8.6, 10, 11, rtx. Got '9'"),
    ],
)
def test_bad_input(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_graph(tmp_path / "g.onnx", DOUBLE)
    assert main(["lint", *arguments]) == 2
    assert message in capsys.readouterr().err
