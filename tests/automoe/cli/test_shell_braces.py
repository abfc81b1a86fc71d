"""Shapes in braces, which a shell makes several words of."""

import subprocess

import pytest

from automoe.cli.shell_braces import rejoin_braces


@pytest.mark.parametrize(
    "text",
    ["--input-shape x=1x{64,128,256} --log l", "--input-shape x={1,2}x{3,4}", "--log x=1x{1,2}"],
)
def test_a_shell_may_take_the_braces_apart(text: str) -> None:
    echoed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {text}"], capture_output=True, text=True, check=True
    )
    words = echoed.stdout.split()
    expected = text.split() if "--log x" not in text else words
    assert rejoin_braces(words) == expected


def test_words_that_follow_a_shape_stay() -> None:
    words = ["cost", "--input-shape", "x=1x3", "--input-shape", "x=1x4", "--dim", "n=3", "n=4"]
    assert rejoin_braces(words) == words
    assert rejoin_braces(["--input-shape", "x=1x3", "m.onnx"])[-1] == "m.onnx"
