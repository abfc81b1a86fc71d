import os
import sys
import time
from pathlib import Path

import pytest
from support.scripted import CommandDevice, ScriptedDevice

from profilers import ProfilingError, WorkerDied, WorkerError, WorkerProcess

# A worker that greets, then answers every request with what follows.
GREETING = """
import json, os, subprocess, sys, time
sys.stdin.readline()
hello = {"runtime": "scripted", "runtime_version": "1", "pid": os.getpid()}
print(json.dumps(hello), flush=True)
for line in sys.stdin:
    op = json.loads(line)["op"]
"""
QUIT = """
    if op == 'quit':
        sys.exit(print("{}", flush=True))
"""


def answering(answer: str, quit_: str = QUIT) -> CommandDevice:
    return CommandDevice(f"{GREETING}{quit_}    {answer}")


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


def test_a_fresh_worker_says_hello_and_quits_when_the_block_ends(device: ScriptedDevice) -> None:
    with WorkerProcess(device) as worker:
        pid = worker.hello["pid"]
        assert worker.hello["runtime"] == "scripted"
        assert is_alive(pid)
        assert pid != os.getpid()
    assert not is_alive(pid)
    assert [record["op"] for record in device.journal("hello", "quit")] == ["hello", "quit"]


def test_a_worker_is_killed_without_asking_when_something_went_wrong(
    device: ScriptedDevice,
) -> None:
    with pytest.raises(KeyError), WorkerProcess(device) as worker:
        raise KeyError
    assert not is_alive(worker.hello["pid"])
    assert device.journal("quit") == []


def test_requests_carry_their_fields_and_answers_come_back() -> None:
    device = answering("print(json.dumps({'got': json.loads(line)}), flush=True)")
    with WorkerProcess(device) as worker:
        got = worker.request("x", a=1, b=["ü"])["got"]
    assert got == {"op": "x", "seq": 2, "a": 1, "b": ["ü"]}


def test_an_answer_longer_than_a_pipe_holds_is_read_whole() -> None:
    device = answering("print(json.dumps({'text': 'x' * 300_000}), flush=True)")
    with WorkerProcess(device) as worker:
        assert [len(worker.request("x")["text"]) for _ in range(2)] == [300_000, 300_000]


def test_an_answer_may_come_in_pieces() -> None:
    pieces = "for part in ('{\"a\"', ': 1}', '\\n'): print(part, end='', flush=True); time.sleep(0)"
    with WorkerProcess(answering(pieces)) as worker:
        assert worker.request("x") == {"a": 1}


def test_the_workers_environment_is_ours_and_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HOST", "1")
    device = answering("print(json.dumps(dict(os.environ)), flush=True)")
    device.environment = {"FROM_DEVICE": "2"}
    with WorkerProcess(device) as worker:
        environment = worker.request("x")
    assert (environment["FROM_HOST"], environment["FROM_DEVICE"]) == ("1", "2")


def test_an_error_is_reported_and_the_worker_lives_on() -> None:
    device = answering("print(json.dumps({'error': 'no luck'} if op == 'bad' else {}), flush=True)")
    with WorkerProcess(device) as worker:
        with pytest.raises(WorkerError, match="worker on 'scripted' failed in 'bad': no luck"):
            worker.request("bad")
        assert worker.request("good") == {}


def test_a_crash_is_told_with_its_status_and_last_words() -> None:
    device = answering("print('out of luck', file=sys.stderr); os._exit(7)")
    message = "'scripted' died during 'x', exit status 7. Its last words: out of luck"
    with WorkerProcess(device) as worker, pytest.raises(WorkerDied, match=message):
        worker.request("x")


def test_after_a_crash_every_request_says_so() -> None:
    with WorkerProcess(answering("os._exit(0)")) as worker:
        for _ in range(2):
            with pytest.raises(WorkerDied, match=r"Its last words: \(none\)"):
                worker.request("x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("print('Last login: today', flush=True)", r"during 'x' \(Expecting value"),
        ("print('[1]', flush=True)", r"during 'x' \(it answered \[1\], which is not an object\)"),
        ("os.write(1, b'\\xff\\n')", "during 'x' .*utf-8"),
    ],
)
def test_an_answer_out_of_protocol_ends_the_worker(answer: str, message: str) -> None:
    with WorkerProcess(answering(answer)) as worker:
        with pytest.raises(WorkerDied, match=message):
            worker.request("x")
        assert not is_alive(worker.hello["pid"])


@pytest.mark.parametrize(
    "hang",
    [
        pytest.param("time.sleep(3600)", id="silent"),
        pytest.param("print('{', end='', flush=True); time.sleep(3600)", id="half an answer"),
    ],
)
def test_a_hanging_worker_is_killed_in_time(hang: str) -> None:
    with WorkerProcess(answering(hang), timeout_s=1.0) as worker:
        with pytest.raises(WorkerDied, match="by not answering 'x' within 1 s, exit status -9"):
            worker.request("x")
        assert not is_alive(worker.hello["pid"])


def test_what_the_workers_command_started_is_killed_with_it() -> None:
    device = answering("time.sleep(3600)")
    device.command = ["sh", "-c", '"$@"; true', "sh", *device.command]  # a shell that stays
    with WorkerProcess(device, timeout_s=1.0) as worker:
        with pytest.raises(WorkerDied, match="by not answering"):
            worker.request("x")
        # Nobody waits for a grandchild, so that its end takes the kernel a moment.
        for _ in range(200):
            if not is_alive(worker.hello["pid"]):
                break
            time.sleep(0.05)
        assert not is_alive(worker.hello["pid"])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["/no/such/program"], "No worker starts on 'scripted'; .* No such file"),
        ([sys.executable, "/no/such/worker.zip"], "No worker starts .* can't open file"),
        (
            ["sh", "-c", 'read hello; echo "{\\"error\\": \\"no runtime\\"}"'],
            "No worker starts .* failed in 'hello': no runtime",
        ),
        (["true"], "run `automoe doctor --device scripted`. The worker on 'scripted' died"),
    ],
)
def test_a_worker_that_does_not_start_is_a_profiling_error(
    command: list[str], message: str
) -> None:
    device = CommandDevice("")
    device.command = command
    with pytest.raises(ProfilingError, match=message), WorkerProcess(device):
        pass


def test_a_worker_that_does_not_quit_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilers.workers.local._QUIT_SECONDS", 0.1)
    device = answering("print('{}', flush=True); time.sleep(3600)", quit_="")
    with WorkerProcess(device) as worker:
        pid = worker.hello["pid"]
    assert not is_alive(pid)
