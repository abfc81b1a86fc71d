"""This module groups sentences of similar lengths, so that batches have little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_MOST = 64


def by_length(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Yield batches of the indices of sentences, the longest sentences first.

    The longest sentence of a batch times its number of sentences is at most ``max_tokens``, except
    in a batch of one sentence. No batch has more than 64 sentences, because memory grows with their
    hypotheses times the vocabulary. With ``max_tokens`` 1 the sentences come one by one, in order.
    """
    if max_tokens <= 1:
        yield from ([i] for i in range(len(lengths)))
        return
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) == _MOST or lengths[batch[0]] * (len(batch) + 1) > max_tokens):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
