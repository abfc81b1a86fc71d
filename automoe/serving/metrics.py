"""This module counts what a server does, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from automoe.deployed.translator import Translation

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_SENTENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counts of one server."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "automoe_requests",
            "Requests by path and status.",
            ["path", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "automoe_request_seconds",
            "Time from a request to its translation.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._sentences = Counter("automoe_sentences", "Translated sentences.", registry=registry)
        self._tokens = Counter(
            "automoe_tokens", "Tokens of translated sentences.", ["side"], registry=registry
        )
        self._batch_sentences = Histogram(
            "automoe_batch_sentences",
            "Sentences that were translated together.",
            buckets=_SENTENCES,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "automoe_batch_seconds",
            "Time of translating sentences together.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue = Gauge("automoe_queue_sentences", "Sentences that wait.", registry=registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Ask for the number of sentences that wait whenever the metrics are read."""
        self._queue.set_function(lambda: float(length()))

    def count_request(self, path: str, status: int) -> None:
        """Count a request by its status."""
        self._requests.labels(path, str(status)).inc()

    def time_request(self, seconds: float) -> None:
        """Count the time of a request that got its translation."""
        self._request_seconds.observe(seconds)

    def count_batch(self, translations: Sequence[Translation], seconds: float) -> None:
        """Count sentences that were translated together."""
        self._sentences.inc(len(translations))
        self._tokens.labels("source").inc(sum(x.source_tokens for x in translations))
        self._tokens.labels("target").inc(sum(x.target_tokens for x in translations))
        self._batch_sentences.observe(len(translations))
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all counts."""
        return generate_latest(self._registry)
