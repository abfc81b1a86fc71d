"""Small files that went wrong once, and what a user gets from each."""

import re
from pathlib import Path

import pytest

from automoe.cli.main import main

CASES = Path(__file__).parents[2] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not in ../shared/cases")


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("log check one_row_level.csv", 0, ""),
        ("log check two_row_level.csv", 0, ""),
        ("log check line_sep_cell.csv", 0, ""),
        ("fit serving.csv --target request_latency", 0, "left out .*: seq/s, tokens/s, ttft, tpot"),
        ("fit hyperfine.csv --target mean", 0, "'mean' is in seconds.*: command, median, min"),
        ("log check headerless.csv", 2, "has no header: line 1 holds a measurement"),
        ("cost paddle_minus_one.onnx --input-shape x=3x4", 0, "flops"),
        ("cost same_symbol.onnx --input-shape x=1x3x48x192", 0, "flops"),
        ("cost nnlqp_conv.onnx", 0, "flops"),
        ("cost ext_no_location.onnx", 2, "weight 'W'"),
        ("cost empty.onnx", 2, "no nodes"),
        ("cost ort_moe.onnx", 0, "flops"),
        ("cost few_inputs.onnx", 2, "node 'y'"),
        ("lint few_inputs.onnx --dialect 8.6", 2, "node 'y'"),
        ("lint lint_conv4d.onnx --dialect 8.6", 4, "Conv"),
        ("lint lint_einsum_ellipsis.onnx --dialect 8.6", 4, "Einsum"),
        ("lint lint_in_string.onnx --dialect 8.6", 4, "STRING"),
        ("lint lint_mid_bfloat16.onnx --dialect 8.6", 4, "BFLOAT16"),
        ("space l1_space.yaml", 2, "not UTF-8"),
        ("space laughs.yaml", 2, "aliases"),
    ],
)
def test_a_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, status: int, message: str
) -> None:
    words = [str(CASES / word) if (CASES / word).is_file() else word for word in command.split()]
    if words[0] == "fit":
        words += ["-o", str(tmp_path / "latency.predictor")]
    code = main(words)
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert code == status, text
    assert re.search(message, text, re.DOTALL), text
    assert "nternal error" not in text
