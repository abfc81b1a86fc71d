"""This module learns which target pieces translate a source piece, from sentence pairs alone.

It is Model 1 of Brown et al. (1993, "The mathematics of statistical machine translation", section
4.1): the probability of a target piece depends on one source piece, and expectation maximisation
finds it. The EOS of each source stands for no source piece.

Legend: V vocabulary, N best target pieces, E entries (one for each source piece and target piece of
a sentence pair), K distinct entries, G target pieces of all pairs.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from automoe.text.pairs import Pairs

NONE = -1  # in the place of a target piece where there are fewer
_ROUNDS = 5
_MAX_PAIRS = 50_000  # 28 000 pairs of 20 pieces need half a gigabyte for a moment


def best_translations(
    pairs: Pairs, *, n_best: int, vocab_size: int, seed: int = 0
) -> NDArray[np.int32]:
    """Return the most probable target pieces of each source piece, ``[V, N]``.

    Args:
        pairs: The sentence pairs. Of more than 50 000, so many are drawn.
        n_best: The number N. The best piece comes first, and `NONE` fills the rest of a row.
        vocab_size: The number V of pieces.
        seed: The seed of the draw.

    Raises:
        ValueError: ``n_best`` is less than 1.
    """
    if n_best < 1:
        raise ValueError(f"'n_best' must be at least 1. Got {n_best}.")
    source_K, target_K, probability_K = _model_1(_drawn(pairs, seed), vocab_size)
    order_K = np.lexsort((-probability_K, source_K))
    source_K, target_K = source_K[order_K], target_K[order_K]
    first_V = np.searchsorted(source_K, np.arange(vocab_size))
    rank_K = np.arange(len(source_K)) - first_V[source_K]
    is_best_K = rank_K < n_best
    best_VN = np.full((vocab_size, n_best), NONE, np.int32)
    best_VN[source_K[is_best_K], rank_K[is_best_K]] = target_K[is_best_K]
    return best_VN


def most_frequent(pairs: Pairs, *, n: int, vocab_size: int) -> NDArray[np.int32]:
    """Return the n most frequent target pieces, EOS apart; `NONE` fills the rest."""
    targets = np.fromiter((token for pair in pairs for token in pair.target), np.int64)
    counts_V = np.bincount(targets, minlength=vocab_size)
    best = np.argsort(-counts_V, kind="stable")[:n]
    best = best[counts_V[best] > 0]
    return np.concatenate([best, np.full(n - len(best), NONE)]).astype(np.int32)


def _drawn(pairs: Pairs, seed: int) -> Pairs:
    if len(pairs) <= _MAX_PAIRS:
        return pairs
    chosen = np.zeros(len(pairs), np.bool_)
    rng = np.random.default_rng(seed)
    chosen[rng.choice(len(pairs), _MAX_PAIRS, replace=False)] = True
    return pairs.where(chosen)


def _model_1(
    pairs: Pairs, vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return source pieces, target pieces and the probability of the second given the first."""
    key_E = np.concatenate([np.zeros(0, np.int64), *_keys(pairs, vocab_size)])
    n_sources_G = np.repeat(pairs.source_lengths, pairs.target_lengths - 1)
    first_G = np.cumsum(n_sources_G) - n_sources_G
    distinct_K, place_E = np.unique(key_E, return_inverse=True)
    source_K, target_K = np.divmod(distinct_K, vocab_size)
    probability_K = np.ones(len(distinct_K))
    for _ in range(_ROUNDS if len(distinct_K) else 0):
        # Each target piece is shared among the source pieces of its sentence.
        share_E = probability_K[place_E]
        share_E /= np.repeat(np.add.reduceat(share_E, first_G), n_sources_G)
        count_K = np.bincount(place_E, share_E, len(distinct_K))
        probability_K = count_K / np.bincount(source_K, count_K, vocab_size)[source_K]
    return source_K, target_K, probability_K


def _keys(pairs: Pairs, vocab_size: int) -> Iterator[NDArray[np.int64]]:
    """Yield source times V plus target, for each target piece all source pieces."""
    for pair in pairs:
        source, target = np.array(pair.source, np.int64), np.array(pair.target, np.int64)
        yield (target[:, None] + vocab_size * source[None, :]).ravel()
