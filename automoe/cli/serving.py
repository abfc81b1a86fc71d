"""Carry out ``automoe serve``."""

from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from automoe.cli.translating import Model, TranslatorOptions
from automoe.serving.limits import Limits
from automoe.settings.search import MOST, Count

_Duration = Annotated[float, Field(ge=0, le=MOST)]


class ServeOptions(TranslatorOptions):
    """The decoding, and how requests are taken.

    Attributes:
        host: Address to listen at; 0.0.0.0 for every address of this machine.
        port: Port to listen at; 0 for a free one.
        batch_tokens: Most source tokens, with padding, that are translated together.
        max_wait_ms: Longest time that a sentence waits for others to be translated with.
        queue: Most sentences that wait; a request that has no room is answered with 429.
        grace_s: Time to finish what was begun, after SIGTERM or Ctrl-C.
    """

    host: Annotated[str, Parameter(metavar="ADDRESS")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    batch_tokens: Count = Limits.batch_tokens
    max_wait_ms: _Duration = Limits.max_wait_ms
    queue: Count = Limits.queue
    grace_s: _Duration = Limits.grace_s


def serve(model: Model, /, *, options: ServeOptions = ServeOptions()) -> None:
    """Translate over HTTP with an exported model until SIGTERM or Ctrl-C.

    POST /translate takes a JSON object whose text is one sentence or a list of them. Sentences of
    requests that arrive together are translated together. GET /health says whether the server
    works, and GET /metrics counts what it did for Prometheus.
    """
    translator = options.open(model)
    try:
        from automoe.serving.server import bound, url_of
        from automoe.serving.server import serve as answer
    except ModuleNotFoundError as error:
        raise ValueError(
            f"'serve' needs {error.name}, which is not installed: "
            "pip install fastapi uvicorn prometheus_client."
        ) from None
    listening = bound(options.host, options.port)
    limits = Limits(
        batch_tokens=options.batch_tokens,
        max_wait_ms=options.max_wait_ms,
        queue=options.queue,
        grace_s=options.grace_s,
    )
    of = translator.description
    ready = f"Ready: {url_of(listening)} translates with {of.architecture_id}, {of.precision}."
    answer(translator, listening, limits=limits, on_ready=lambda: print(ready, flush=True))
