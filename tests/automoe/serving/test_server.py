"""A server finishes what was begun, within its grace, and ends with exit code 0."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.served import answer_on, begun, wait_for_waiting

from automoe.serving.server import bound, url_of

TESTS = Path(__file__).parents[2]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from support.gated_translator import GatedTranslator
from automoe.serving.limits import Limits
from automoe.serving.server import bound, serve, url_of

class Telling(GatedTranslator):
    def translate_all(self, sentences, *, batch_tokens):
        print("begun", flush=True)
        return super().translate_all(sentences)

translator = Telling()
if sys.argv[2] == "open":
    translator.gate.set()
listening = bound("127.0.0.1", 0)
limits = Limits(grace_s=float(sys.argv[1]), max_wait_ms=float(sys.argv[3]))
ready = lambda: print(url_of(listening), flush=True)
serve(translator, listening, limits=limits, on_ready=ready)
assert "torch" not in sys.modules
"""


@contextmanager
def server(
    *, grace_s: float, gate: str = "open", max_wait_ms: float = 0.0
) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-c", PROGRAM, str(grace_s), gate, str(max_wait_ms)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, timeout=60) as client:
                yield process, client
        finally:
            process.kill()


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_what_was_begun_is_finished(sent: signal.Signals) -> None:
    with (
        server(grace_s=60, max_wait_ms=1e9) as (process, client),
        ThreadPoolExecutor() as pool,
    ):
        body = b'{"text": ["b", "c"]}'
        arriving = begun(client, body[:-1], declared=len(body))
        waiting = pool.submit(client.post, "/translate", json={"text": "a"})
        wait_for_waiting(client, 1)  # it would wait for a day
        process.send_signal(sent)
        assert waiting.result(60).json()["translation"] == "A"
        address = (client.base_url.host, client.base_url.port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 60)
        arriving.sendall(body[-1:])  # its request was begun as well
        status, received = answer_on(arriving)
        arriving.close()
        assert (status, json.loads(received)["translation"]) == (200, ["B", "C"])
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


def test_the_grace_bounds_the_end() -> None:
    with server(grace_s=0.2, gate="closed") as (process, client), ThreadPoolExecutor() as pool:
        asked = pool.submit(client.post, "/translate", json={"text": "a"})
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        answer = asked.result(60)
        assert answer.status_code == 503
        assert answer.json() == {"error": "The server ends. Send it again later."}
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in errors


@pytest.mark.slow
def test_a_connection_stays_open_for_as_long_as_clients_keep_it() -> None:
    """Of the libraries of clients, httpx closes an idle connection after 5 seconds."""
    with server(grace_s=60) as (_, client):
        address = (client.base_url.host, client.base_url.port)
        connection = http.client.HTTPConnection(*address, timeout=60)
        connection.connect()
        kept = connection.sock
        for pause_s in (0, 6):
            time.sleep(pause_s)
            connection.request("POST", "/translate", b'{"text": "a"}')
            assert json.load(connection.getresponse())["translation"] == "A"
        assert connection.sock is kept
        connection.close()


@pytest.mark.slow
def test_a_second_signal_ends_at_once() -> None:
    with server(grace_s=1e6) as (process, client):
        connection = begun(client, b"{", declared=10)
        assert client.get("/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        connection.close()


def test_an_address_that_cannot_be_had_is_refused_in_one_line() -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        match = (
            f"^Cannot listen at '--host 127.0.0.1 --port {port}': Address already in use. "
            "Choose another address, or port 0 for a free one.$"
        )
        with pytest.raises(ValueError, match=match):
            bound("127.0.0.1", port)
    with pytest.raises(ValueError, match="^Cannot listen at '--host nowhere.invalid --port 1': "):
        bound("nowhere.invalid", 1)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    try:
        listening = bound("::1", 0)
    except ValueError:
        pytest.skip("there is no IPv6 here")
    with listening:
        assert url_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"
