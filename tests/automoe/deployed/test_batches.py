from random import Random

import pytest

from automoe.deployed.batches import by_length


@pytest.mark.parametrize("max_tokens", [2, 16, 100, 10**6])
def test_every_sentence_is_in_one_batch_that_fits(max_tokens: int) -> None:
    rng = Random(max_tokens)
    lengths = [rng.randint(1, 40) for _ in range(200)]
    batches = list(by_length(lengths, max_tokens))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or longest * len(batch) <= max_tokens
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert max_tokens > 100 or padded < 1.3 * sum(lengths)


def test_sentences_go_alone_in_their_order() -> None:
    assert list(by_length([3, 9, 1], 1)) == [[0], [1], [2]]
    assert list(by_length([], 100)) == []
