from pathlib import Path

import pytest

from automoe.cli.main import main
from automoe.cli.opened_device import resolve_device
from devices.remote_address import RemoteAddress, RemoteAddressError

Capture = pytest.CaptureFixture[str]
BOARDS = """
orin: {host: nvidia@orin, device: jetson, python: /opt/python}
plain: {host: pi@plain}
cpu: {host: a@b, device: cpu}
"""


@pytest.fixture(autouse=True)
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "devices.yaml").write_text(BOARDS)


@pytest.mark.parametrize(
    ("device", "host", "expected"),
    [
        ("arm", None, ("arm", None)),
        ("arm", "me@box", ("arm", RemoteAddress("me@box"))),
        ("arm", "orin", ("arm", RemoteAddress("nvidia@orin", "/opt/python"))),
        ("orin", None, ("jetson", RemoteAddress("nvidia@orin", "/opt/python"))),
    ],
)
def test_what_is_meant(
    device: str, host: str | None, expected: tuple[str, RemoteAddress | None]
) -> None:
    assert resolve_device(device, host) == expected


@pytest.mark.parametrize(
    ("device", "host", "message"),
    [
        (
            "plain",
            None,
            "'plain' of devices.yaml does not say which plugin measures it. Add a line",
        ),
        ("orin", "me@box", "'orin' of devices.yaml has a host already, 'nvidia@orin'. Got '--host"),
        ("cpu", None, "'cpu' is a device plugin and a machine of devices.yaml. Rename"),
        ("arm", "-oProxyCommand=x", "A host must be one of your ssh configuration"),
    ],
)
def test_what_is_contradictory(device: str, host: str | None, message: str) -> None:
    with pytest.raises(RemoteAddressError, match=message):
        resolve_device(device, host)


def test_a_jetson_that_this_machine_is_not(capsys: Capture) -> None:
    flags = ["--space", "tiny", "-n", "1", "--log", "l.csv"]
    assert main(["profile", "--device", "jetson", *flags]) == 7
    (line,) = capsys.readouterr().err.splitlines()
    assert "this machine is no NVIDIA Jetson (" in line
    assert line.endswith("reach one with --device jetson --host user@address.")
    assert not Path("l.csv").exists()


def test_a_host_is_for_a_device(capsys: Capture) -> None:
    flags = ["--supernet", "s", "--predictor", "p", "--budget-ms", "1", "-o", "b.json"]
    assert main(["search", *flags, "--host", "pi@board"]) == 2
    assert "'--host' says where '--device' is: give both" in capsys.readouterr().err


def test_a_search_does_not_start_before_its_device_is_reached(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no ssh
    flags = ["--supernet", "s", "--predictor", "p", "--budget-ms", "1", "-o", "b.json"]
    assert main(["search", *flags, "--device", "arm", "--host", "pi@board"]) == 7
    assert "The program 'ssh' cannot be run" in capsys.readouterr().err
