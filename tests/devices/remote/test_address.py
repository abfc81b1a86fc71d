from pathlib import Path

import pytest

from devices.remote.address import (
    NamedDevice,
    RemoteAddress,
    RemoteAddressError,
    read_named_devices,
)


@pytest.mark.parametrize(
    "destination",
    [
        *("board", "pi@board", "pi@192.168.1.20", "first.last@board.local", "ssh://pi@board:2222"),
        *("pi@fe80::1%eth0", "ssh://[::1]:22", "ssh://pi@board/"),
    ],
)
def test_destinations_of_ssh(destination: str) -> None:
    assert RemoteAddress(destination).destination == destination


@pytest.mark.parametrize(
    "destination",
    [
        *("", "-oProxyCommand=touch x", "pi@-oProxyCommand=x", "board; touch x", "$(touch x)"),
        *(
            "board\ntouch x",
            "pi@board x",
            "pi:word@board:22",
            "`x`",
            "board'",
            "a|b",
            "ssh://pi@board:22;x",
            "x/../y",
        ),
    ],
)
def test_what_could_be_an_option_or_a_command_is_refused(destination: str) -> None:
    with pytest.raises(RemoteAddressError, match="A host must be a name of your ssh configuration"):
        RemoteAddress(destination)


@pytest.mark.parametrize(
    "destination", ["pi@board:2222", "board:22", "pi@192.168.1.20:2222", "pi@[fe80::1]:2222"]
)
def test_a_port_names_the_form_that_ssh_takes(destination: str) -> None:
    with pytest.raises(RemoteAddressError, match="A port needs the form") as caught:
        RemoteAddress(destination)
    assert f"write ssh://{destination}." in str(caught.value)
    assert RemoteAddress(f"ssh://{destination}").destination == f"ssh://{destination}"


def test_named_devices(tmp_path: Path) -> None:
    path = tmp_path / "devices.yaml"
    path.write_text(
        "orin:\n  host: nvidia@10.0.0.5\n  device: jetson\n  python: ~/venv/bin/python\n"
        "pi-5:\n  host: pi\n"
    )
    assert read_named_devices(path) == {
        "orin": NamedDevice(RemoteAddress("nvidia@10.0.0.5", "~/venv/bin/python"), "jetson"),
        "pi-5": NamedDevice(RemoteAddress("pi"), None),
    }


def test_the_file_of_this_folder_comes_before_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert read_named_devices() == {}
    (tmp_path / "config/automoe").mkdir(parents=True)
    (tmp_path / "config/automoe/devices.yaml").write_text("a: {host: users}\n")
    assert read_named_devices()["a"].address.destination == "users"
    (tmp_path / "devices.yaml").write_text("a: {host: folders}\n")
    assert read_named_devices()["a"].address.destination == "folders"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", "devices.yaml, line 1: not valid YAML"),
        ("- a", "devices.yaml: the file must hold 'key: value' lines"),
        ("a b: {host: x}", "a name must consist of letters, digits, '.', '_' and '-'. Got 'a b'"),
        ("3: {host: x}", "devices.yaml, line 1: a key must be text"),
        ("a: {host: x}\na: {host: y}", "devices.yaml, line 2: the key 'a' is given twice"),
        ("a: {device: cpu}", "'a' must have a 'host', such as user@board"),
        ("a: x", "'a' must have a 'host'"),
        (
            "a: {host: x, port: 22}",
            "fields of 'a' are texts named host, device, python. Got 'port'",
        ),
        ("a: {host: x, python: 3}", "Got 'python': 3"),
        ("a: {host: -x}", "'a': A host must be a name of your ssh configuration"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "devices.yaml"
    path.write_text(text)
    with pytest.raises(RemoteAddressError, match=message):
        read_named_devices(path)
