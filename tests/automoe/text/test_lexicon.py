from collections import defaultdict
from random import Random

import numpy as np
import pytest

from automoe.text.lexicon import NONE, best_translations, most_frequent
from automoe.text.pairs import Pair, Pairs
from automoe.text.special_tokens import EOS

VOCAB_SIZE = 40
N_WORDS = 12


def translated(seed: int, n: int) -> Pairs:
    """Sentences in which source word w becomes target word w + 12, in another order."""
    rng = Random(seed)
    pairs = []
    for _ in range(n):
        words = [rng.randrange(4, 4 + N_WORDS) for _ in range(rng.randint(1, 6))]
        target = [word + N_WORDS for word in words]
        rng.shuffle(target)
        pairs.append(Pair((*words, EOS), tuple(target)))
    return Pairs.of(pairs)


def test_the_translation_of_each_word_is_the_best() -> None:
    best = best_translations(translated(0, 200), n_best=3, vocab_size=VOCAB_SIZE)
    words = range(4, 4 + N_WORDS)
    assert [best[word, 0] for word in words] == [word + N_WORDS for word in words]
    assert best[39].tolist() == [NONE] * 3  # a piece that was never seen


def test_probabilities_are_those_of_the_algorithm_by_hand() -> None:
    # Expectation maximisation over dictionaries, as in the literature, for five rounds.
    pairs = translated(1, 30)
    table: dict[tuple[int, int], float] = defaultdict(lambda: 1.0)
    for _ in range(5):
        counts: dict[tuple[int, int], float] = defaultdict(float)
        totals: dict[int, float] = defaultdict(float)
        for pair in pairs:
            for target in pair.target:
                norm = sum(table[source, target] for source in pair.source)
                for source in pair.source:
                    share = table[source, target] / norm
                    counts[source, target] += share
                    totals[source] += share
        table = defaultdict(float, {key: n / totals[key[0]] for key, n in counts.items()})
    best = best_translations(pairs, n_best=4, vocab_size=VOCAB_SIZE)
    for source in range(4, 4 + N_WORDS):
        found = [table[source, int(target)] for target in best[source] if target != NONE]
        every = sorted((p for (s, _), p in table.items() if s == source), reverse=True)
        assert found == pytest.approx(every[: len(found)])
        assert len(found) == min(4, len(every))


def test_frequent_pieces_are_counted() -> None:
    pairs = Pairs.of([Pair((5, EOS), (7, 7, 8)), Pair((6, EOS), (7, 9)), Pair((6, EOS), (8, 7))])
    assert most_frequent(pairs, n=2, vocab_size=VOCAB_SIZE).tolist() == [7, 8]
    assert most_frequent(pairs, n=5, vocab_size=VOCAB_SIZE).tolist() == [7, 8, 9, NONE, NONE]


def test_more_pairs_than_fit_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automoe.text.lexicon._MAX_PAIRS", 150)
    pairs = translated(2, 400)
    first, again = (best_translations(pairs, n_best=1, vocab_size=VOCAB_SIZE) for _ in range(2))
    assert np.array_equal(first, again)
    assert [first[word, 0] for word in range(4, 16)] == list(range(16, 28))


def test_pairs_without_words_have_no_translations() -> None:
    pairs = Pairs.of([Pair((EOS,), ())])
    assert (best_translations(pairs, n_best=2, vocab_size=9) == NONE).all()
    with pytest.raises(ValueError, match="'n_best' must be at least 1. Got 0"):
        best_translations(pairs, n_best=0, vocab_size=9)
