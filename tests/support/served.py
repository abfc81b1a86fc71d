"""A server in a thread of this process, and clients that do not behave."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from unittest import mock

import httpx
from support.waiting import wait_until

from automoe.serving import server as serving
from automoe.serving.limits import Limits


@contextmanager
def served(translator: Any, **limits: Any) -> Iterator[httpx.Client]:
    """Serve with a translator, and yield a client of the server."""
    servers: list[serving.Server] = []
    ready = threading.Event()

    class Kept(serving.Server):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            servers.append(self)

    listening = serving.bound("127.0.0.1", 0)
    url = serving.url_of(listening)
    asked = Limits(**{"max_wait_ms": 0.0, **limits})
    with mock.patch.object(serving, "Server", Kept):
        thread = threading.Thread(
            target=serving.serve,
            args=(translator, listening),
            kwargs={"limits": asked, "on_ready": ready.set},
        )
        thread.start()
        assert ready.wait(60), "the server did not start"
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client
    finally:
        servers[0].should_exit = True
        thread.join(60)
    assert not thread.is_alive()


def translation(client: httpx.Client, text: str | list[str]) -> Any:
    """The translation of one sentence or several."""
    answer = client.post("/translate", json={"text": text})
    assert answer.status_code == 200, answer.text
    return answer.json()["translation"]


def metric(client: httpx.Client, name: str) -> float:
    """The value of a metric, by its name with its labels; 0 when it is not there."""
    lines = client.get("/metrics").text.splitlines()
    values = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")]
    return float(values[0]) if values else 0.0


def wait_for_waiting(client: httpx.Client, n: int) -> None:
    """Wait until so many sentences wait."""
    wait_until(lambda: metric(client, "automoe_queue_sentences") == n)


def begun(client: httpx.Client, body: bytes, *, declared: int | None = None) -> socket.socket:
    """A connection that has sent a request's head and this part of its body."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port), 60)
    length = len(body) if declared is None else declared
    head = f"POST /translate HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def answer_on(connection: socket.socket) -> tuple[int, str]:
    """The status and the body that come on a connection."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        return answer.status, answer.read().decode()
