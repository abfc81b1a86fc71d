"""This module runs the server until it is told to end, and lets it finish what was begun."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from automoe.deployed.translator import Translator
from automoe.serving.app import create_app
from automoe.serving.limits import Limits
from automoe.serving.metrics import Metrics
from automoe.serving.reading import Reader
from automoe.serving.sentence_queue import SentenceQueue

_BACKLOG = 2048  # connections that are not accepted yet
# A client that sends while the server closes an idle connection gets an error instead of an answer.
# So the server waits longer than clients (httpx: 5 s) and proxies (nginx, AWS: 60 s) keep theirs.
_KEEP_ALIVE_S = 75
_END_S = 1.0  # for a thread that has nothing to do


def serve(
    translator: Translator,
    listening: socket.socket,
    *,
    limits: Limits,
    on_ready: Callable[[], None],
) -> None:
    """Translate until the process gets SIGTERM or SIGINT.

    Then no new request is accepted, and those that were accepted have `limits.grace_s` to finish.
    A batch that is still being translated after that cannot be interrupted: the process is ended
    with exit code 0. So it is at a second signal.

    Args:
        translator: The translator, which one thread uses from now on.
        listening: What `bound` returned.
        limits: The bounds.
        on_ready: A function that is called when requests are accepted.
    """
    metrics = Metrics()
    queue = SentenceQueue(
        partial(translator.translate_all, batch_tokens=limits.batch_tokens),
        batch_tokens=limits.batch_tokens,
        max_wait_s=limits.max_wait_ms / 1000,
        most=limits.queue,
        on_batch=metrics.count_batch,
    )
    metrics.watch_queue(lambda: len(queue))
    description = translator.description
    reader = Reader(translator.vocabulary, description.max_positions, limits.queue)
    about = {
        "architecture_id": description.architecture_id,
        "precision": description.precision,
    }
    app = create_app(reader, queue, metrics, limits=limits, about=about)
    Server(app, limits, on_ready=on_ready, on_end=queue.wait_no_more).run(sockets=[listening])
    queue.close(timeout_s=_END_S)
    if queue.is_working:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def bound(host: str, port: int) -> socket.socket:
    """Return a socket with this address; with port 0 one that is free.

    Raises:
        ValueError: There is no such address here, or it is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ValueError(_not_bound(host, port, error)) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise ValueError(_not_bound(host, port, error)) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL that a socket answers at."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _not_bound(host: str, port: int, error: OSError) -> str:
    return (
        f"Cannot listen at '--host {host} --port {port}': {error.strerror}. "
        "Choose another address, or port 0 for a free one."
    )


class Server(uvicorn.Server):
    """Uvicorn, which says when it is ready and ends with exit code 0 after a signal.

    Args:
        app: The application.
        limits: The bounds.
        on_ready: A function that is called when requests are accepted.
        on_end: A function that is called when no more are.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        *,
        on_ready: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=limits.grace_s,  # type: ignore[arg-type]
        )
        super().__init__(config)
        self._on_ready = on_ready
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets=sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept, and wait for what was begun."""
        self._on_end()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second signal ends at once. Uvicorn would raise the signal again."""
        self.force_exit = self.should_exit
        self.should_exit = True
