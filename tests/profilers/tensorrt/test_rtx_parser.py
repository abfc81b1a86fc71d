import sys
from pathlib import Path

import pytest
from support.graphs import DOUBLE, write_graph

from profilers.tensorrt import rtx_parser
from profilers.tensorrt.rtx_parser import missing_parser, parser_verdict

needs_rtx = pytest.mark.skipif(missing_parser() is not None, reason=str(missing_parser()))


@needs_rtx
def test_a_graph_that_is_taken(tmp_path: Path) -> None:
    verdict = parser_verdict(write_graph(tmp_path / "g.onnx", DOUBLE))
    assert verdict.is_parsed
    assert verdict.refusals == ()
    assert verdict.n_layers >= 1
    assert verdict.version.startswith("1.")


@needs_rtx
@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("g (float[n] x) => (int64[1, m] y) { y = NonZero(x) }", "NonZero"),
        ("g (float[n] x) => (float[n] y) { y = com.microsoft.FusedGelu(x) }", "FusedGelu"),
    ],
)
def test_a_refusal_names_node_and_reason(tmp_path: Path, text: str, operator: str) -> None:
    verdict = parser_verdict(write_graph(tmp_path / "g.onnx", text))
    assert not verdict.is_parsed
    assert operator in {refusal.operator for refusal in verdict.refusals}
    assert all(x.reason and "\n" not in x.reason for x in verdict.refusals)


@needs_rtx
def test_what_is_no_graph_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"no model")
    verdict = parser_verdict(tmp_path / "g.onnx")
    assert not verdict.is_parsed
    assert "MODEL_DESERIALIZE_FAILED" in verdict.refusals[0].reason


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        parser_verdict(tmp_path / "none.onnx")


def test_a_parser_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rtx_parser, "_PROGRAM", "import sys; sys.exit('no library')")
    path = write_graph(tmp_path / "g.onnx", DOUBLE)
    with pytest.raises(RuntimeError, match="died, exit status 1. Its last words: no library"):
        parser_verdict(path)


def test_a_parser_that_does_not_end_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rtx_parser, "_PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(rtx_parser, "_SECONDS", 0.2)
    path = write_graph(tmp_path / "g.onnx", DOUBLE)
    with pytest.raises(RuntimeError, match=r"did not end within 0.2 s"):
        parser_verdict(path)


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.setattr(rtx_parser, "find_spec", lambda name: None)
    assert (
        missing_parser()
        == "tensorrt_rtx is not installed; pip install tensorrt_rtx nvidia-cuda-runtime"
    )
