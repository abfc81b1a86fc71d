"""`automoe profile --host` through a real SSH server, whose connections are killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackServer]:
    (tmp_path / "server").mkdir()
    server = LoopbackServer(tmp_path / "server")
    server.prepare()
    server.start()
    named = {"board": {"host": "board", "device": "cpu", "python": sys.executable}}
    (tmp_path / "devices.yaml").write_text(json.dumps(named))
    yield server
    server.reset()
    server.stop()


def start(server: LoopbackServer, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "automoe", *command],
        cwd=server.folder.parent,
        env={**os.environ, "PATH": f"{server.program_folder}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def profile(server: LoopbackServer) -> subprocess.Popen[str]:
    return start(server, "profile", "--device", "board", *SPACE, "--log", "lat.csv")


def is_measuring(server: LoopbackServer) -> bool:
    """Whether the sentinel and a first point are there, so that blocks are being taken."""
    return len(list(server.cache.glob("sessions/*/work/*.workload.json"))) > 1


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
    wait_until(lambda: is_measuring(server), seconds=120)
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
    wait_until(lambda: is_measuring(server), seconds=120)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    resume = "continue with: automoe profile --device board --space tiny"
    assert resume in err
    wait_until(lambda: server.keepers() == [])  # it ended in order there

    process = profile(server)
    wait_until(lambda: is_measuring(server), seconds=120)
    process.kill()
    process.communicate()
    # Nobody said that it was over. The same user's next command takes over at once.
    finished(profile(server))
    assert len(set(measured(server))) == len(measured(server)) == N


def test_a_second_session_is_refused_with_who_is_there(server: LoopbackServer) -> None:
    process = profile(server)
    wait_until(lambda: is_measuring(server), seconds=120)
    other = start(server, "profile", "--device", "board", *SPACE, "--log", "other.csv")
    _, err = other.communicate(timeout=60)
    assert other.returncode == 7
    assert "Another session measures on board (process " in err
    finished(process)
    assert len(measured(server)) == N
