"""Odd and hostile models end every command with a right figure or with one clear line."""

import json
import re
from pathlib import Path

import pytest
from support.odd_models import ODD, Odd

from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=ODD, ids=str)
def odd(request: pytest.FixtureRequest) -> Odd:
    return ODD[request.param]


@pytest.fixture
def path(odd: Odd, tmp_path: Path) -> Path:
    file = tmp_path / "odd.onnx"
    file.write_bytes(odd.content)
    return file


def test_its_costs_are_right_or_refused_in_one_line(odd: Odd, path: Path, capsys: Capture) -> None:
    code = main(["cost", str(path), "--json", *odd.flags])
    printed = capsys.readouterr()
    assert re.search(odd.says, printed.err)
    if odd.flops is None:
        assert code == 2
        assert len(printed.err.splitlines()) == 1
        assert printed.err.startswith("Error: ")
    else:
        assert code == 0
        assert json.loads(printed.out)["flops"] == odd.flops


def test_lint_ends_with_an_answer_or_one_line(path: Path, capsys: Capture) -> None:
    code = main(["lint", str(path), "--dialect", "10"])
    assert code in (0, 2, 4)
    if code == 2:
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("device", ["simulated", "cpu"])
def test_it_is_measured_or_refused_in_one_line(
    odd: Odd, path: Path, device: str, capsys: Capture
) -> None:
    log = str(path.with_name("l.csv"))
    flags = ["--device", device, "--fast", "--rounds", "2", "--log", log, *odd.flags]
    code = main(["profile", *flags, "--model", str(path)])
    told = [
        line
        for line in capsys.readouterr().err.splitlines()
        if not line.startswith(("Profile: ", "SIMULATED: "))
    ]
    if odd.flops is not None and (odd.can_run or (device == "simulated" and code == 0)):
        assert code == 0, told
    else:
        assert code in (2, 3)
        assert len([line for line in told if "could not" in line or "Error: " in line]) == 1
