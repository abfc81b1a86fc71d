"""What `make demo` makes of the exit codes of `automoe run`, which a script stands for here."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("code", "works"),
    [
        pytest.param(0, True, id="certified"),
        pytest.param(4, True, id="not certified"),
        pytest.param(1, False, id="a failure"),
        pytest.param(6, False, id="nothing fits the budget"),
        pytest.param(7, False, id="no device"),
        pytest.param(130, False, id="interrupted"),
    ],
)
def test_the_demo_works_when_the_pipeline_worked(tmp_path: Path, code: int, works: bool) -> None:
    program = tmp_path / "bin/automoe"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $@\nexit {code}\n")
    program.chmod(0o755)
    (tmp_path / ".ready").touch()  # newer than what it is made from
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = subprocess.run(
        ["make", "--silent", "demo", f"VENV={tmp_path}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "run examples/quickstart.yaml\n"
    assert (ended.returncode == 0) is works
