"""This module holds what a server is asked to keep to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of a server.

    Attributes:
        batch_tokens: The most source tokens, with padding, that are translated together.
        max_wait_ms: The longest time that a sentence waits for others to be translated with.
        queue: The most sentences that wait, and therefore the most of one request.
        grace_s: The time that requests have to be answered once the server has to end.
        body_bytes: The size of the largest body of a request.
        body_s: The longest time that a body takes to arrive.
    """

    batch_tokens: int = 1024
    max_wait_ms: float = 5.0
    queue: int = 256
    grace_s: float = 30.0
    body_bytes: int = 1 << 20
    body_s: float = 30.0
