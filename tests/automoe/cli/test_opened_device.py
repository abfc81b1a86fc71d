from contextlib import ExitStack
from pathlib import Path

import pytest

from automoe.cli import device_options
from automoe.cli.main import main
from devices import opening
from devices.opening import opened_device

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


@pytest.mark.parametrize("more", [[], ["--space", "tiny"]])
def test_a_device_that_is_not_there_is_told_before_options(
    capsys: Capture, more: list[str]
) -> None:
    assert main(["profile", "--device", "jetson", *more]) == 7
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: Device 'jetson' is unavailable: this machine is not an NVIDIA")


def test_every_missing_option_is_named_at_once(capsys: Capture) -> None:
    assert main(["profile", "--device", "cpu"]) == 2
    assert "Missing option '--log'. See automoe profile --help." in capsys.readouterr().err
    assert main(["search", "--budget-ms", "3"]) == 2
    assert "Missing options '-o' / '--out', '--supernet', '--predictor'." in capsys.readouterr().err


def test_a_command_that_measures_waits_for_another_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path))
    monkeypatch.setattr(opening, "_WAIT_SECONDS", 0.01)
    other, told = ExitStack(), list[str]()
    other.enter_context(opened_device("cpu"))

    def say(message: str) -> None:
        told.append(message)
        other.close()  # the other session ends

    monkeypatch.setattr(device_options, "say", say)
    with device_options.opened_and_announced("cpu", None, is_measured=False):
        assert told == []  # looking disturbs nobody
    with device_options.opened_and_announced("cpu", None) as device:
        assert device.name == "cpu"
    assert len(told) == 1
