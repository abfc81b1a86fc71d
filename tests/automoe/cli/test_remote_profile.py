"""`automoe profile --host` through a real SSH server, whose connections are killed meanwhile."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.loopback import LoopbackServer, missing_ssh
from support.waiting import wait_until

from profilers import read_log

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_ssh() is not None, reason=missing_ssh() or ""),
]
N = 4
SPACE = ["--space", "tiny", "--max-experts", "4", "--fractional", "-n", str(N), "--fast"]


@contextmanager
def running(server: LoopbackServer) -> Iterator[LoopbackServer]:
    server.folder.mkdir()
    server.prepare()
    server.start()
    yield server
    server.reset()
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackServer]:
    board = {"device": "cpu", "python": sys.executable}
    named = {name: {"host": name, **board} for name in ("board", "other")}
    (tmp_path / "devices.yaml").write_text(json.dumps(named))
    with running(LoopbackServer(tmp_path / "server")) as server:
        yield server


def profile(server: LoopbackServer) -> subprocess.Popen[str]:
    return server.automoe("profile", "--device", "board", *SPACE, "--log", "lat.csv")


def has_seen(server: LoopbackServer, n_connections: int) -> bool:
    return (server.folder / "sshd.log").read_text().count("Accepted") >= n_connections


def finished(process: subprocess.Popen[str]) -> str:
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return err


def measured(server: LoopbackServer) -> list[str]:
    return [row["point_id"] for row in read_log(server.folder.parent / "lat.csv")]


@pytest.mark.parametrize("accident", ["cut", "reset"])
def test_a_session_goes_on_after_its_connection_or_the_board_was_killed(
    server: LoopbackServer, accident: str
) -> None:
    process = profile(server)
    wait_until(lambda: server.n_workloads > 1, seconds=120)
    for n_connections in (2, 3) if accident == "cut" else (2,):
        getattr(server, accident)()
        wait_until(partial(has_seen, server, n_connections), seconds=60)
    err = finished(process)
    assert "The connection to board is lost (" in err
    assert "Connected to board again after " in err
    assert len(set(measured(server))) == len(measured(server)) == N
    wait_until(lambda: server.keepers() == [])
    assert list((server.cache / "sessions").iterdir()) == []


def test_a_session_that_was_stopped_says_how_to_resume_and_does(server: LoopbackServer) -> None:
    process = profile(server)
    wait_until(lambda: server.n_workloads > 0, seconds=120)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    resume = "continue with: automoe profile --device board --space tiny"
    assert resume in err
    wait_until(lambda: server.keepers() == [])  # it ended in order there

    process = profile(server)
    wait_until(lambda: server.n_workloads > 0, seconds=120)
    process.kill()
    process.communicate()
    # Nobody said that it was over. The same user's next command takes over at once.
    finished(profile(server))
    assert len(set(measured(server))) == len(measured(server)) == N


def test_a_second_session_says_who_is_there_and_waits(server: LoopbackServer) -> None:
    process = profile(server)
    wait_until(lambda: server.n_workloads > 1, seconds=120)
    other = server.automoe("profile", "--device", "board", *SPACE, "-n", "1", "--log", "other.csv")
    finished(process)
    err = finished(other)
    assert "Another session measures on board (process " in err
    assert "This session waits for its end; Ctrl-C stops it." in err
    assert len(measured(server)) == N


def test_two_boards_share_the_work(server: LoopbackServer, tmp_path: Path) -> None:
    with running(LoopbackServer(tmp_path / "second")) as other:
        server.client_options = (
            f"Host other\n  HostName 127.0.0.1\n  Port {other.port}\n  User {other.user}",
            f"IdentityFile {other.folder}/id\n  IdentitiesOnly yes\n  IdentityAgent none",
            f"UserKnownHostsFile {other.folder}/known_hosts",
        )
        server.write_client_configuration()
        hosts = ["--host", "board", "--host", "other"]
        process = server.automoe(
            *("profile", "--device", "cpu", *hosts, *SPACE, "-n", "12", "--log", "lat.csv")
        )
        wait_until(lambda: other.n_workloads > 1, seconds=200)
        finished(process)
    assert len(set(measured(server))) == len(measured(server)) == 12
    rows = read_log(tmp_path / "lat.csv")
    assert len({row["sentinel_reference_ms"] for row in rows}) == 1
