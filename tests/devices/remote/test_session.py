import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.ssh_in_place import SshInPlace
from support.waiting import wait_until

from devices.remote.address import RemoteAddress
from devices.remote.answers import BadAnswerError
from devices.remote.host import RemoteHost
from devices.remote.session import (
    ConnectionLostError,
    NoAnswerError,
    RefusedError,
    SessionLostError,
)
from devices.remote.ssh import ConnectionFailedError, LinkLostError, SshLink

# A worker that answers how many requests it got, slowly when it is asked to.
COUNTER = b"""
import json, sys, time
for number, line in enumerate(sys.stdin, 1):
    request = json.loads(line)
    time.sleep(request.get("seconds", 0))
    if request.get("crash"):
        print("out of luck", file=sys.stderr)
        sys.exit(7)
    print(json.dumps({"number": number}), flush=True)
"""


@pytest.fixture
def counter(host: RemoteHost) -> RemoteHost:
    assert host.session.ask("lock") == {"holder": None, "seq": 1}
    host.files.place({"counter.py": COUNTER})
    host.session.ask("start", worker="counter.py", environment={})
    return host


def test_an_answer_that_a_lost_connection_swallowed_comes_after_it(
    counter: RemoteHost, ssh: SshInPlace, said: list[str]
) -> None:
    threading.Timer(0.3, ssh.cut).start()
    before = time.monotonic()
    assert counter.session.ask("ask_worker", line='{"seconds": 1.5}')["line"] == '{"number": 1}'
    assert time.monotonic() - before > 1.4
    assert ssh.n_connections == 2
    # It was carried out once: the next is the second.
    assert counter.session.ask("ask_worker", line="{}")["line"] == '{"number": 2}'
    assert said[0].startswith("The connection to pi@board is lost (")
    assert said[0].endswith("Trying again for 20 s; the session there is kept.")
    assert said[1].startswith("Connected to pi@board again after ")


def test_an_answer_given_while_nobody_was_there_is_kept(
    counter: RemoteHost, ssh: SshInPlace
) -> None:
    def be_off() -> None:
        ssh.switch_off()
        ssh.cut()
        time.sleep(1.5)
        ssh.switch_on()

    threading.Timer(0.2, be_off).start()
    assert counter.session.ask("ask_worker", line='{"seconds": 0.6}')["line"] == '{"number": 1}'
    assert counter.session.ask("ask_worker", line="{}")["line"] == '{"number": 2}'


def test_a_machine_that_restarts_says_so_and_serves_anew(
    counter: RemoteHost, ssh: SshInPlace
) -> None:
    threading.Timer(0.3, ssh.reset).start()
    with pytest.raises(SessionLostError, match="pi@board has restarted"):
        counter.session.ask("ask_worker", line='{"seconds": 5}')
    assert counter.kernel().system == "Linux"
    assert counter.session.ask("ask_worker", line="{}")["died"]["status"] is None


def test_questions_are_asked_again_after_a_restart(host: RemoteHost, ssh: SshInPlace) -> None:
    host.kernel()
    ssh.reset()
    assert host.kernel().system == "Linux"


def test_a_connection_that_does_not_come_back_is_given_up(ssh: SshInPlace, said: list[str]) -> None:
    with RemoteHost(RemoteAddress("board"), say=said.append, patience_s=0.5) as host:
        host.kernel()
        ssh.switch_off()
        ssh.cut()
        message = "to board was lost and did not come back within 0.5 s. board cannot be reached"
        with pytest.raises(ConnectionLostError, match=message):
            host.kernel()
    wait_until(lambda: ssh.keepers() == [])  # that side loses patience too


def test_a_changed_host_key_ends_the_trying_at_once(host: RemoteHost, ssh: SshInPlace) -> None:
    ssh.switch_off("Host key verification failed.")
    ssh.cut()
    with pytest.raises(ConnectionFailedError, match="its host key is not known"):
        host.kernel()


def test_a_worker_that_dies_leaves_its_last_words(counter: RemoteHost) -> None:
    died = counter.session.ask("ask_worker", line='{"crash": true}')["died"]
    assert died == {"status": 7, "tail": "out of luck"}


def test_one_that_takes_too_long_can_be_stopped(counter: RemoteHost) -> None:
    with pytest.raises(NoAnswerError, match="pi@board does not answer 'ask_worker' within 0.2 s"):
        counter.session.ask("ask_worker", line='{"seconds": 60}', timeout_s=0.2)
    assert counter.session.ask("stop")["died"]["status"] == -signal.SIGKILL


def test_a_worker_is_started_under_the_lock_only(host: RemoteHost) -> None:
    host.files.place({"counter.py": COUNTER})
    with pytest.raises(RefusedError, match="refused 'start': the machine must be locked before"):
        host.session.ask("start", worker="counter.py", environment={})


def test_only_one_session_has_the_lock(host: RemoteHost, ssh: SshInPlace) -> None:
    (first,) = ssh.keepers()
    assert host.session.ask("lock")["holder"] is None
    assert host.session.ask("lock")["holder"] is None  # it has it
    with RemoteHost(RemoteAddress("board")) as other:
        holder = other.session.ask("lock")["holder"]
    assert holder.startswith(f"process {first} of ")


def test_the_lock_is_free_after_a_session(ssh: SshInPlace) -> None:
    for _ in range(2):
        with RemoteHost(RemoteAddress("board")) as host:
            assert host.session.ask("lock")["holder"] is None
        wait_until(lambda: ssh.keepers() == [])


def leave_alone(ssh: SshInPlace) -> int:
    """A session that has the lock and whose client was killed; the keeper's process."""
    session = RemoteHost(RemoteAddress("board")).session.__enter__()
    assert session.ask("lock")["holder"] is None
    (keeper,) = ssh.keepers()
    session._close_link()
    return keeper


def test_a_session_left_alone_is_taken_over_by_its_owner(ssh: SshInPlace) -> None:
    keeper = leave_alone(ssh)
    with RemoteHost(RemoteAddress("board")) as host:
        assert host.session.ask("lock")["holder"] is None
        wait_until(lambda: keeper not in ssh.keepers())


def test_a_session_left_alone_is_kept_from_others(
    ssh: SshInPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = leave_alone(ssh)
    monkeypatch.setattr("devices.remote.session._owner", lambda: "somebody else")
    with RemoteHost(RemoteAddress("board")) as stranger:
        assert f"process {keeper} " in stranger.session.ask("lock")["holder"]


def test_a_session_that_cannot_be_opened_says_why(ssh: SshInPlace) -> None:
    address = RemoteAddress("pi@board", "~/no/such/python")
    message = r"pi@board cannot be used: its Python .*/no/such/python cannot be run \(No such file"
    with pytest.raises(ConnectionFailedError, match=message), RemoteHost(address):
        pass
    assert list((ssh.cache / "sessions").iterdir()) == []


def test_a_python_that_is_none_is_named_and_leaves_nothing(ssh: SshInPlace) -> None:
    address = RemoteAddress("pi@board", "/bin/echo")
    message = "pi@board cannot be used: its Python /bin/echo failed: it gave no answer"
    with pytest.raises(ConnectionFailedError, match=message), RemoteHost(address):
        pass
    assert list((ssh.cache / "sessions").iterdir()) == []


def test_the_next_session_removes_what_a_restart_has_left(ssh: SshInPlace) -> None:
    with RemoteHost(RemoteAddress("board")) as host:
        host.files.place({"small": b"x" * 1000})
        ssh.reset()
    assert len(list((ssh.cache / "sessions").iterdir())) == 1
    (ssh.cache / "blobs" / f"{'0' * 64}.part").write_bytes(b"half")
    with RemoteHost(RemoteAddress("board")):
        assert len(list((ssh.cache / "sessions").iterdir())) == 1
        assert list((ssh.cache / "blobs").iterdir()) == []
    wait_until(lambda: ssh.keepers() == [])
    assert list((ssh.cache / "sessions").iterdir()) == []


def test_a_session_leaves_no_part_of_a_small_file(ssh: SshInPlace) -> None:
    with RemoteHost(RemoteAddress("board")) as host:
        place = {"digest": "0" * 64, "offset": 0, "size": 10}
        assert not host.session.ask("put", payload=b"half", **place)["is_whole"]
        assert len(list((ssh.cache / "blobs").iterdir())) == 1
    wait_until(lambda: ssh.keepers() == [])
    assert list((ssh.cache / "blobs").iterdir()) == []


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SshInPlace]:
    """A function that makes a machine whose login shell runs a command before anything else."""

    def place(command: str) -> SshInPlace:
        made = SshInPlace(tmp_path / "noisy", before=command)
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        return made

    return place


@pytest.mark.parametrize(
    "noise",
    [
        'Welcome! {"python": 1}',
        'automoe-agent {"refused": "not the agent"}',
        f'automoe-agent {"0" * 16} {{"refused": "not the agent"}}',
    ],
)
def test_what_a_login_shell_prints_is_not_believed(
    noisy: Callable[[str], SshInPlace], noise: str
) -> None:
    noisy(f"echo '{noise}'")
    with RemoteHost(RemoteAddress("board")) as host:
        assert host.kernel().system == "Linux"


@pytest.mark.parametrize("command", ["yes", "tr '\\\\0' x </dev/zero"])
def test_a_shell_that_never_stops_printing_is_given_up(
    noisy: Callable[[str], SshInPlace], command: str
) -> None:
    noisy(command)
    with (
        pytest.raises(ConnectionFailedError, match="its login shell never stops printing"),
        RemoteHost(RemoteAddress("board")),
    ):
        pass


def test_the_greeting_is_waited_for_while_a_shell_prints(
    noisy: Callable[[str], SshInPlace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.remote.ssh.GREETING_SECONDS", 1.0)
    noisy("while :; do printf .; sleep 0.05; done")
    before = time.monotonic()
    with (
        pytest.raises(ConnectionFailedError, match="nothing came in time"),
        RemoteHost(RemoteAddress("board")),
    ):
        pass
    assert time.monotonic() - before < 10


def test_what_is_no_message_ends_the_session(host: RemoteHost) -> None:
    host.kernel()
    link = host.session._link
    assert link is not None
    link._child.lines.add(b"Broadcast message from root: reboot\n")
    with pytest.raises(BadAnswerError, match="pi@board sent 'Broadcast message from root: .*not a"):
        host.kernel()


def test_a_connection_that_is_lost_each_time_is_given_up(
    host: RemoteHost, ssh: SshInPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(link: SshLink, *message: object) -> None:
        raise LinkLostError("cut")

    monkeypatch.setattr(SshLink, "send", lose)
    with pytest.raises(ConnectionLostError, match=r"lost 10 times during 'kernel' \(cut\)"):
        host.kernel()
