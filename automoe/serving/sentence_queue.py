"""This module lets sentences wait for each other, and one thread translates them together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from automoe.deployed.translator import Translation
from automoe.serving.reading import Sentence

Translate = Callable[[Sequence[str]], Sequence[Translation]]
OnBatch = Callable[[Sequence[Translation], float], None]


class FullError(Exception):
    """A queue without room.

    Attributes:
        retry_after_s: The time after which there is probably room, in whole seconds.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"no room; probably in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    sentence: Sentence
    arrived_s: float
    future: Future[Translation] = field(default_factory=Future)


class SentenceQueue:
    """The sentences that wait, and the thread that translates them in the order of their arrival.

    A sentence that is cancelled before its translation has begun is left out.

    Args:
        translate: Translates sentences together.
        batch_tokens: The most tokens, with padding, that are translated together.
        max_wait_s: The longest time that a sentence waits for others while nothing is translated.
        most: The most sentences that wait.
        on_batch: A function that is called with the translations of a batch and its seconds.
    """

    def __init__(
        self,
        translate: Translate,
        *,
        batch_tokens: int,
        max_wait_s: float,
        most: int,
        on_batch: OnBatch,
    ) -> None:
        self._translate = translate
        self._batch_tokens = batch_tokens
        self._max_wait_s = max_wait_s
        self._most = most
        self._on_batch = on_batch
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._sentence_s = 0.0  # the time of a sentence in the last batch
        self._thread = threading.Thread(target=self._work, name="translator", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Return the number of sentences that wait and are not cancelled."""
        with self._changed:
            return sum(not each.future.cancelled() for each in self._waiting)

    @property
    def is_working(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def add(self, sentences: Sequence[Sentence]) -> list[Future[Translation]]:
        """Let the sentences of a request wait, all or none of them.

        Raises:
            FullError: There is no room for all of them.
        """
        now = monotonic()
        added = [_Waiting(sentence, now) for sentence in sentences]
        with self._changed:
            if len(self._waiting) + len(added) > self._most:
                self._waiting = deque(x for x in self._waiting if not x.future.cancelled())
            if len(self._waiting) + len(added) > self._most:
                raise FullError(max(1, ceil(len(self._waiting) * self._sentence_s)))
            self._waiting.extend(added)
            self._changed.notify_all()
        return [each.future for each in added]

    def wait_no_more(self) -> None:
        """Translate what waits at once, because no others will come."""
        with self._changed:
            self._max_wait_s = 0.0
            self._changed.notify_all()

    def close(self, *, timeout_s: float) -> None:
        """Let the thread end when nothing waits any more, and wait for that at most so long."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._finish(batch)

    def _next_batch(self) -> list[_Waiting] | None:
        """Return what is translated next, which may be nothing; None when the queue has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return None
            left_s = self._waiting[0].arrived_s + self._max_wait_s - monotonic()
            self._changed.wait_for(self._is_due, max(0.0, left_s))
            n_fitting, _ = self._fitting()
            taken = [self._waiting.popleft() for _ in range(n_fitting)]
        return [each for each in taken if each.future.set_running_or_notify_cancel()]

    def _is_due(self) -> bool:
        return self._is_closed or self._max_wait_s == 0 or self._fitting()[1]

    def _fitting(self) -> tuple[int, bool]:
        """Return how many of the first sentences go together, and whether no other one could."""
        longest = 0
        for n, each in enumerate(self._waiting, start=1):
            longest = max(longest, each.sentence.n_tokens)
            if n > 1 and longest * n > self._batch_tokens:
                return n - 1, True
        return len(self._waiting), longest * (len(self._waiting) + 1) > self._batch_tokens

    def _finish(self, batch: Sequence[_Waiting]) -> None:
        """Translate sentences together; one by one if that fails, so that only one of them does."""
        start = monotonic()
        try:
            translations = self._translate([each.sentence.text for each in batch])
        except Exception as error:  # of one request; the others go on
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for each in batch:
                self._finish([each])
            return
        seconds = monotonic() - start
        self._sentence_s = seconds / len(batch)
        self._on_batch(translations, seconds)
        for each, translation in zip(batch, translations, strict=True):
            each.future.set_result(translation)
