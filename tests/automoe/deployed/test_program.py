"""The program of a bundle runs where nothing but its three packages can be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from automoe.translation import Translator

SENTENCES = ["the old tree", "", "das alte Haus ist hoch"]
# The zip has packages `automoe` and `automoe.deployed` of its own.
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ImportError(name + " is not installed here")

sys.meta_path.insert(0, Blocker())
"""
BLOCKED = {
    *("torch", "onnx", "scipy", "sklearn", "pandas", "pydantic", "sacrebleu", "yaml", "filelock"),
    *("predictors", "profilers", "devices"),
}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python where most packages cannot be imported."""
    (tmp_path / "bare").mkdir()
    blocker = BLOCKER.replace("{BLOCKED}", repr(BLOCKED))
    (tmp_path / "bare/sitecustomize.py").write_text(blocker)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "bare")}


def run(folder: Path, env: dict[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "translate.py"), *flags]
    text = "\n".join(SENTENCES) + "\n"
    return subprocess.run(command, env=env, input=text, capture_output=True, text=True, cwd="/")


def test_the_blocker_blocks(bare: dict[str, str]) -> None:
    command = [sys.executable, "-c", "import torch"]
    failed = subprocess.run(command, env=bare, capture_output=True, text=True)
    assert "torch is not installed here" in failed.stderr


@pytest.mark.parametrize("flags", [(), ("--flush", "--beam", "4"), ("--batch-tokens", "1")])
def test_a_bundle_translates_alone(
    folder: Path, bare: dict[str, str], flags: tuple[str, ...]
) -> None:
    done = run(folder, bare, *flags)
    assert (done.stderr, done.returncode) == ("", 0)
    translator = Translator.open(folder)
    assert done.stdout.split("\n")[:-1] == [translator.translate(s).text for s in SENTENCES]


def test_an_altered_bundle_ends_with_one_line(folder: Path, bare: dict[str, str]) -> None:
    with (folder / "encoder.onnx").open("ab") as file:
        file.write(b"x")
    done = run(folder, bare)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "encoder.onnx' is not the file that was exported" in line
