"""Connections through a real SSH server on the loopback address."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.loopback import LoopbackServer, children, missing_ssh

from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost
from devices.remote.ssh import (
    REMOTE_COMMAND,
    ConnectionFailedError,
    _configuration,
    explain_failure,
    options_for,
)

ADDRESS = RemoteAddress("board", sys.executable)
needs_sshd = pytest.mark.skipif(missing_ssh() is not None, reason=missing_ssh() or "")
Serve = Callable[..., LoopbackServer]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    started: list[LoopbackServer] = []

    def start(**settings: object) -> LoopbackServer:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        server = LoopbackServer(folder, **settings)  # type: ignore[arg-type]
        server.prepare()
        server.start()
        started.append(server)
        monkeypatch.setenv("PATH", str(server.program_folder), prepend=":")
        return server

    yield start
    for server in started:
        server.reset()
        server.stop()


def refusal(address: RemoteAddress = ADDRESS) -> ConnectionFailedError:
    with pytest.raises(ConnectionFailedError) as caught, RemoteHost(address):
        pass
    return caught.value


def with_path(folder: Path) -> str:
    """A line for sshd that no start-up file of a shell can undo."""
    return f'ForceCommand exec env PATH="{folder}" /bin/sh -c "$SSH_ORIGINAL_COMMAND"'


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "csh", "tcsh", "fish", "zsh"])
def test_every_login_shell_reads_the_command_alike(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    finished = subprocess.run(
        [shell, "-c", REMOTE_COMMAND],
        input=b"20\nprint(['it ran', s])" + b" ",
        capture_output=True,
        timeout=30,
    )
    assert finished.stdout.startswith(b"['it ran', <")
    assert finished.returncode == 0


@needs_sshd
def test_a_machine_is_reached_by_the_users_own_configuration(serve: Serve) -> None:
    server = serve()
    with RemoteHost(ADDRESS) as host:
        assert host.kernel().system == "Linux"
        assert len(server.keepers()) == 1


@needs_sshd
def test_a_jump_host_of_the_configuration_is_used(serve: Serve) -> None:
    server = serve()
    jump = f"{server.program_folder}/ssh -W %h:%p jump"
    server.client_options = (f"ProxyCommand {jump}",)
    server.write_client_configuration()
    text = (server.folder / "config").read_text()
    without_proxy = text.replace("Host board", "Host jump").replace(f"  ProxyCommand {jump}\n", "")
    (server.folder / "config").write_text(text + without_proxy)
    with RemoteHost(ADDRESS) as host:
        assert host.kernel().system == "Linux"
    accepted = (server.folder / "sshd.log").read_text().count("Accepted publickey")
    assert accepted == 2


@needs_sshd
def test_what_a_configuration_asks_for_terminals_does_no_harm(serve: Serve) -> None:
    server = serve(
        client_options=("RemoteCommand echo no", "RequestTTY force", "LocalForward 1 x:1")
    )
    with RemoteHost(ADDRESS) as host:
        assert host.kernel().system == "Linux"
    assert server.keepers() is not None


@needs_sshd
@pytest.mark.slow
def test_a_connection_that_falls_silent_is_given_up_and_replaced(serve: Serve) -> None:
    server = serve(client_options=("ServerAliveInterval 1", "ServerAliveCountMax 2"))
    said: list[str] = []
    with RemoteHost(ADDRESS, say=said.append) as host:
        host.session.ask("lock")
        assert server.process is not None
        for pid in children(server.process.pid):
            os.kill(pid, signal.SIGSTOP)  # to the client as if the network were gone
        # The keeper still has the old connection when the new one comes.
        assert host.session.ask("lock")["holder"] is None
    assert len(said) == 2
    assert "not responding" in said[0]


@needs_sshd
def test_an_unknown_host_key_is_never_accepted(serve: Serve) -> None:
    server = serve(client_options=("StrictHostKeyChecking no",))
    (server.folder / "known_hosts").write_text("")
    error = refusal()
    assert error.is_final
    assert str(error).startswith(
        "board cannot be reached: its host key is not known. Compare its fingerprint once, "
        "with: ssh board. ssh says: "
    )
    assert (server.folder / "known_hosts").read_text() == ""


@needs_sshd
def test_a_changed_host_key_is_refused(serve: Serve) -> None:
    server = serve()
    server.trust("other")
    error = refusal()
    assert error.is_final
    message = str(error)
    assert "board cannot be reached: another key than known_hosts has. If you know why:" in message
    known = server.folder / "known_hosts"
    command = f"ssh-keygen -f {known} -R '[127.0.0.1]:{server.port}'"
    assert command in message
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    assert known.read_text() == ""


@needs_sshd
def test_a_key_that_is_not_accepted_there(serve: Serve) -> None:
    server = serve()
    shutil.copy(server.folder / "other.pub", server.folder / "authorized_keys")
    assert "put your key there (ssh-copy-id board) or run ssh-add. ssh says:" in str(refusal())


@needs_sshd
def test_a_machine_without_a_server(serve: Serve) -> None:
    serve().stop()
    error = refusal()
    assert not error.is_final  # it may be starting
    assert "board cannot be reached: start an SSH server there" in str(error)


@needs_sshd
def test_a_machine_without_python(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    serve(options=(with_path(tmp_path / "empty"),))
    assert str(refusal()) == (
        "board has no Python 3.8 or newer on its PATH. Install python3 there."
    )


@needs_sshd
def test_a_python_that_is_too_old_is_passed_over(serve: Serve, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, status in (("python3", 99), ("python3.12", 127)):  # 99 is the loader's below 3.8
        (programs / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (programs / name).chmod(0o755)
    (programs / "python3.9").symlink_to(sys.executable)
    serve(options=(with_path(programs),))
    with RemoteHost(RemoteAddress("board")) as host:
        assert host.session.python == sys.version.split()[0]


@needs_sshd
def test_a_mistake_in_the_configuration_is_named(serve: Serve) -> None:
    serve(client_options=("NoSuchKeyword yes",))
    assert "ssh refuses your configuration. It says: " in str(refusal())
    assert "nosuchkeyword" in str(refusal()).lower()


@needs_sshd
def test_time_limits_of_the_configuration_are_kept(serve: Serve) -> None:
    server = serve()
    assert "ConnectTimeout=15" in options_for(_configuration(ADDRESS))
    assert "ServerAliveInterval=5" in options_for(_configuration(ADDRESS))
    server.client_options = ("ConnectTimeout 60", "ServerAliveInterval 30")
    server.write_client_configuration()
    assert not [x for x in options_for(_configuration(ADDRESS)) if "Timeout" in x or "Alive" in x]


def test_no_ssh_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "'ssh' cannot be run (No such file or directory). Install the" in str(refusal())


@pytest.mark.parametrize(
    ("configured", "name"),
    [
        ({}, "pi@x"),
        ({"hostname": "10.0.0.7", "port": "22"}, "10.0.0.7"),
        ({"hostname": "fe80::1", "port": "2222"}, "'[fe80::1]:2222'"),
        ({"hostname": "h", "port": "2222", "hostkeyalias": "board"}, "board"),
    ],
)
def test_a_host_key_is_removed_under_the_name_of_ssh(configured: dict[str, str], name: str) -> None:
    words = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! Host key verification failed."
    error = explain_failure(RemoteAddress("pi@x"), 255, words, configured)
    assert f"If you know why: ssh-keygen -R {name}. ssh says:" in str(error)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("ssh: connect to host x port 22: Connection timed out", "check that it is on and on"),
        ("ssh: connect to host x port 22: No route to host", "check that it is on and on"),
        ("ssh: Could not resolve hostname x: Name or service", "check the name, or give an"),
        ("kex_exchange_identification: banner", "try: ssh pi@x"),
    ],
)
def test_each_failure_has_its_remedy(words: str, hint: str) -> None:
    error = explain_failure(RemoteAddress("pi@x"), 255, words, {})
    assert f"pi@x cannot be reached: {hint}" in str(error)
    assert words in str(error)
