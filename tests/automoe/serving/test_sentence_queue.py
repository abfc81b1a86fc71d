"""Sentences wait for each other, within bounds; what is cancelled in time is not translated."""

from collections.abc import Sequence
from typing import Any

import pytest
from support.gated_translator import BROKEN, GatedTranslator
from support.waiting import wait_until

from automoe.serving.reading import Sentence
from automoe.serving.sentence_queue import FullError, SentenceQueue


def queue_of(
    translator: GatedTranslator, *, batch_tokens: int = 24, max_wait_s: float = 0.0, most: int = 8
) -> SentenceQueue:
    return SentenceQueue(
        translator.translate_all,
        batch_tokens=batch_tokens,
        max_wait_s=max_wait_s,
        most=most,
        on_batch=lambda _translations, _seconds: None,
    )


def sentences(*texts: str) -> list[Sentence]:
    return [Sentence(text, len(text.split()) + 1) for text in texts]


def busy(queue: SentenceQueue, translator: GatedTranslator) -> Any:
    """Let the thread begin with a sentence, and return its future."""
    (first,) = queue.add(sentences("first"))
    wait_until(lambda: translator.batches == [["first"]])
    return first


def results(futures: Sequence[Any]) -> list[str]:
    return [future.result(60).text for future in futures]


def test_what_waits_is_translated_together_up_to_the_tokens(gated: GatedTranslator) -> None:
    queue = queue_of(gated)
    first = busy(queue, gated)
    # With padding: 3 sentences of 8 tokens are 24; a fourth one would be 32.
    texts = ["a b c d e f g", "h", "i j", "k", "l"]
    futures = queue.add(sentences(*texts[:2])) + queue.add(sentences(*texts[2:]))
    assert len(queue) == 5
    gated.gate.set()
    assert results([first, *futures]) == ["FIRST", *(text.upper() for text in texts)]
    assert gated.batches[1:] == [texts[:3], texts[3:]]
    assert len(queue) == 0


def test_a_sentence_that_alone_has_more_tokens_goes_alone(gated: GatedTranslator) -> None:
    queue = queue_of(gated, batch_tokens=2)
    gated.gate.set()
    assert results(queue.add(sentences("a b c d", "e f g"))) == ["A B C D", "E F G"]
    assert gated.batches == [["a b c d"], ["e f g"]]


def test_a_full_batch_does_not_wait_for_the_time(gated: GatedTranslator) -> None:
    queue = queue_of(gated, batch_tokens=4, max_wait_s=1e6)
    gated.gate.set()
    assert results(queue.add(sentences("a", "b"))) == ["A", "B"]  # two of two tokens each
    (alone,) = queue.add(sentences("c"))
    (next_one,) = queue.add(sentences("d"))
    assert results([alone, next_one]) == ["C", "D"]
    assert gated.batches == [["a", "b"], ["c", "d"]]  # the third one waited for the fourth


def test_nothing_waits_for_others_that_will_not_come(gated: GatedTranslator) -> None:
    queue = queue_of(gated, max_wait_s=1e6)
    gated.gate.set()
    futures = queue.add(sentences("a", "b"))
    queue.wait_no_more()
    assert results(futures + queue.add(sentences("c"))) == ["A", "B", "C"]


def test_more_than_the_most_find_no_room(gated: GatedTranslator) -> None:
    queue = queue_of(gated, most=3)
    first = busy(queue, gated)
    kept = queue.add(sentences("a", "b"))
    with pytest.raises(FullError, match="no room") as full:
        queue.add(sentences("c", "d"))  # all of them or none
    assert full.value.retry_after_s >= 1
    kept += queue.add(sentences("e"))
    gated.gate.set()
    assert results([first, *kept]) == ["FIRST", "A", "B", "E"]
    assert results(queue.add(sentences("c", "d"))) == ["C", "D"]


def test_what_is_cancelled_before_it_begins_is_left_out(gated: GatedTranslator) -> None:
    queue = queue_of(gated, most=3)
    first = busy(queue, gated)
    gone, stays, gone_too = queue.add(sentences("gone", "stays", "gone too"))
    assert gone.cancel()
    assert gone_too.cancel()
    assert not first.cancel()  # it has begun
    assert len(queue) == 1
    later = queue.add(sentences("a", "b"))  # there is room again
    gated.gate.set()
    assert results([first, stays, *later]) == ["FIRST", "STAYS", "A", "B"]
    assert gated.batches[1:] == [["stays", "a", "b"]]


def test_an_error_is_that_of_the_sentence_that_causes_it(gated: GatedTranslator) -> None:
    queue = queue_of(gated)
    first = busy(queue, gated)
    before, broken, after = queue.add(sentences("before", BROKEN, "after"))
    gated.gate.set()
    assert results([first, before, after]) == ["FIRST", "BEFORE", "AFTER"]
    with pytest.raises(ValueError, match="not finite"):
        broken.result(60)
    assert queue.is_working


def test_what_waits_is_finished_before_the_end(gated: GatedTranslator) -> None:
    queue = queue_of(gated, max_wait_s=1e6)
    futures = queue.add(sentences("a", "b"))
    queue.close(timeout_s=0.0)
    assert queue.is_working
    gated.gate.set()
    assert results(futures) == ["A", "B"]
    queue.close(timeout_s=60.0)
    assert not queue.is_working
