from pathlib import Path

import pytest

from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_jetson_that_this_machine_is_not(capsys: Capture) -> None:
    flags = ["--space", "tiny", "-n", "1", "--log", "l.csv"]
    assert main(["profile", "--device", "jetson", *flags]) == 7
    (line,) = capsys.readouterr().err.splitlines()
    assert "this machine is not an NVIDIA Jetson (" in line
    assert line.endswith("reach one with --device jetson --host user@address.")
    assert not Path("l.csv").exists()


def test_a_host_is_for_a_device(capsys: Capture) -> None:
    flags = ["--supernet", "s", "--predictor", "p", "--budget-ms", "1", "-o", "b.json"]
    assert main(["search", *flags, "--host", "pi@board"]) == 2
    assert "'--host' is about '--device': give both" in capsys.readouterr().err
