import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from devices import DeviceUnavailableError, opening
from devices.opening import opened_device, resolve_device
from devices.remote.address import RemoteAddress, RemoteAddressError
from devices.spec import DeviceBusyError

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
        ("arm", "-oProxyCommand=x", "A host must be a name of your ssh configuration"),
    ],
)
def test_what_is_contradictory(device: str, host: str | None, message: str) -> None:
    with pytest.raises(RemoteAddressError, match=message):
        resolve_device(device, host)


def test_two_sessions_never_measure_here_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices.yaml").unlink()
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path))
    with opened_device("cpu") as first:
        assert first.name == "cpu"
        with pytest.raises(DeviceUnavailableError, match=f"process {os.getpid()} of .* since"):
            opened_device("cpu").__enter__()
        with opened_device("cpu", is_measured=False), opened_device("simulated"):
            pass  # looking at it, or at no machine at all, disturbs nobody
    with opened_device("cpu"):
        pass


def test_a_session_may_wait_for_another_one_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices.yaml").unlink()
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path))
    monkeypatch.setattr(opening, "_WAIT_SECONDS", 0.01)
    other, told = ExitStack(), []
    other.enter_context(opened_device("cpu"))

    def say(message: str) -> None:
        told.append(message)
        other.close()  # the other session ends

    with opened_device("cpu", say=say, waits=True), pytest.raises(DeviceBusyError):
        opened_device("cpu").__enter__()
    (message,) = told
    assert message.startswith(f"Another session measures on this machine (process {os.getpid()} of")
    assert message.endswith("). This session waits for its end; Ctrl-C stops it.")  # once


def test_a_machine_on_which_nothing_can_be_locked_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices.yaml").unlink()
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path / "missing"))
    with pytest.raises(DeviceUnavailableError, match="cannot be locked: no lock file can be made"):
        opened_device("cpu").__enter__()
