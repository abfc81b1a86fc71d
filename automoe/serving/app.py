"""This module answers requests: which path gives what, and which status a refusal has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from time import monotonic

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automoe.deployed.translator import Translation
from automoe.serving.limits import Limits
from automoe.serving.metrics import CONTENT_TYPE, Metrics
from automoe.serving.reading import Reader, RefusedError, too_large
from automoe.serving.sentence_queue import FullError, SentenceQueue

_PATHS = ("/translate", "/health", "/metrics")
_GONE = RefusedError(499, "The client went away.")  # as other servers log it; nobody reads it
_log = logging.getLogger(__name__)


def create_app(
    reader: Reader,
    queue: SentenceQueue,
    metrics: Metrics,
    *,
    limits: Limits,
    about: Mapping[str, str],
) -> ASGIApp:
    """Return the application.

    Args:
        reader: Reads the bodies of requests.
        queue: Translates sentences.
        metrics: Counts requests.
        limits: The bounds of bodies.
        about: What `/health` tells of the model.
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.post("/translate")
    async def translate(request: Request) -> Response:
        asked = reader.read(await _body(request, limits))
        try:
            futures = queue.add(asked.sentences)
        except FullError as error:
            raise RefusedError(
                429,
                f"{limits.queue} sentences may wait, and too many do. Send it again after "
                f"{error.retry_after_s} s.",
                {"Retry-After": str(error.retry_after_s)},
            ) from None
        found = await _translations(request, futures)
        texts, scores = [x.text for x in found], [x.score for x in found]
        if asked.is_list:
            return JSONResponse({"translation": texts, "score": scores})
        return JSONResponse({"translation": texts[0], "score": scores[0]})

    @app.get("/health")
    async def health() -> Response:
        if not queue.is_working:
            raise RefusedError(503, "The thread that translates has ended. Start the server again.")
        return JSONResponse({"status": "ok", **about})

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    _say_errors_in_one_line(app)
    return Counted(app, metrics)


async def _body(request: Request, limits: Limits) -> bytes:
    """Return the body of a request, unless it is too large or takes too long."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise too_large(limits.body_bytes)
    except TimeoutError:
        raise RefusedError(
            408, f"The body took more than {limits.body_s:g} s. Send it again, at once."
        ) from None
    except ClientDisconnect:
        raise _GONE from None
    return bytes(body)


async def _translations(
    request: Request, futures: Sequence[Future[Translation]]
) -> list[Translation]:
    """Return the translations of a request. What has not begun is cancelled if its client goes."""
    watching = asyncio.create_task(_cancel_when_gone(request, futures))
    try:
        found = await asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
    except asyncio.CancelledError:  # Uvicorn cancels what is not finished after the grace
        raise RefusedError(503, "The server ends. Send it again later.") from None
    finally:
        watching.cancel()
    if watching.done() and not watching.cancelled():
        raise _GONE
    for each in found:
        if isinstance(each, BaseException):
            reason = f"{type(each).__name__}: {' '.join(str(each).split()):.200}"
            _log.error("A translation failed. %s", reason)
            raise RefusedError(500, f"The translation failed. {reason}")
    return [each for each in found if isinstance(each, Translation)]


async def _cancel_when_gone(request: Request, futures: Sequence[Future[Translation]]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    for future in futures:
        future.cancel()


def _say_errors_in_one_line(app: FastAPI) -> None:
    """Let every answer that is an error hold `{"error": "..."}`."""

    @app.exception_handler(RefusedError)
    async def refused(_request: Request, error: RefusedError) -> Response:
        return JSONResponse({"error": str(error)}, error.status, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        paths = "POST /translate, GET /health and GET /metrics"
        what = f"{request.method} {request.url.path}"
        reason = f"{error.detail}: {what!a:.100}. There are {paths}."
        return JSONResponse({"error": reason}, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> Response:
        return JSONResponse({"error": f"Internal error: {type(error).__name__}."}, 500)


class Counted:
    """An application whose requests are counted when their answers begin.

    Args:
        app: The application.
        metrics: The counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        path, start = scope["path"], monotonic()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                self._metrics.count_request(path if path in _PATHS else "other", status)
                if path == "/translate" and status == 200:
                    self._metrics.time_request(monotonic() - start)
            await send(message)

        await self._app(scope, receive, counting)
