from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automoe.text import Corpus, Pair, Pairs, ParallelText, Vocabulary, encode_pairs
from automoe.text.special_tokens import EOS


@pytest.fixture
def text(shipped: Corpus) -> ParallelText:
    return shipped.split("test")


def test_source_ends_with_eos_and_target_is_bare(
    text: ParallelText, vocabulary: Vocabulary
) -> None:
    encoded = encode_pairs(text, vocabulary, max_tokens=10_000)
    assert encoded.n_overlong == 0
    for index, pair in enumerate(encoded.pairs):
        assert pair.source == (*vocabulary.encode(text.source[index]), EOS)
        assert pair.target == tuple(vocabulary.encode(text.target[index]))


def test_length_counts_the_token_added_to_the_target() -> None:
    assert Pair(source=(7, 8, EOS), target=(5,)).length == 3
    assert Pair(source=(7, EOS), target=(5, 6, 7)).length == 4
    assert Pair(source=(EOS,), target=()).length == 1


def test_drops_and_counts_long_pairs(text: ParallelText, vocabulary: Vocabulary) -> None:
    everything = encode_pairs(text, vocabulary, max_tokens=10_000).pairs
    encoded = encode_pairs(text, vocabulary, max_tokens=50)
    assert list(encoded.pairs) == [pair for pair in everything if pair.length <= 50]
    assert encoded.n_overlong == len(everything) - len(encoded.pairs) > 0


def test_truncates_for_evaluation(text: ParallelText, vocabulary: Vocabulary) -> None:
    everything = encode_pairs(text, vocabulary, max_tokens=10_000).pairs
    encoded = encode_pairs(text, vocabulary, max_tokens=50, overlong="truncate")
    assert encoded.n_overlong == sum(pair.length > 50 for pair in everything)
    for short, full in zip(encoded.pairs, everything, strict=True):
        assert short.length == min(full.length, 50)
        assert short.source[-1] == EOS
        assert short.source[:-1] == full.source[: len(short.source) - 1]
        assert short.target == full.target[:49]


def test_truncation_leaves_a_short_source_alone(vocabulary: Vocabulary) -> None:
    text = ParallelText(("a",), ("a very long translation of one letter",))
    (pair,) = encode_pairs(text, vocabulary, max_tokens=5, overlong="truncate").pairs
    assert pair.source == (*vocabulary.encode("a"), EOS)
    assert len(pair.target) == 4


def test_encodes_no_text(vocabulary: Vocabulary) -> None:
    assert len(encode_pairs(ParallelText((), ()), vocabulary, max_tokens=5).pairs) == 0


def test_refuses_to_drop_everything(text: ParallelText, vocabulary: Vocabulary) -> None:
    shortest = min(pair.length for pair in encode_pairs(text, vocabulary, max_tokens=999).pairs)
    with pytest.raises(ValueError, match=f"'max_tokens' must be at least {shortest}, the shortest"):
        encode_pairs(text, vocabulary, max_tokens=2)


def test_refuses_a_length_without_room(text: ParallelText, vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="'max_tokens' must be at least 2, .* Got 1."):
        encode_pairs(text, vocabulary, max_tokens=1)


def test_refuses_other_treatments(text: ParallelText, vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="'overlong' must be 'drop' or 'truncate'. Got 'split'."):
        encode_pairs(text, vocabulary, max_tokens=9, overlong="split")  # type: ignore[arg-type]


def test_refuses_an_empty_source() -> None:
    with pytest.raises(ValueError, match="'source' must hold at least one token. Got none"):
        Pair((), (5,))


ids = st.integers(0, 70_000)
some_pairs = st.lists(
    st.builds(
        Pair,
        st.lists(ids, min_size=1, max_size=5).map(tuple),
        st.lists(ids, max_size=5).map(tuple),
    ),
    max_size=9,
)


@given(pairs=some_pairs, step=st.integers(1, 4))
def test_arrays_give_back_the_pairs(pairs: list[Pair], step: int) -> None:
    kept = Pairs.of(pairs)
    assert isinstance(kept, Sequence)
    assert len(kept) == len(pairs)
    assert list(kept) == pairs == [kept[index] for index in range(len(pairs))]
    assert list(kept[::step]) == pairs[::step]
    assert list(kept[-2:]) == pairs[-2:]
    assert kept.lengths.tolist() == [pair.length for pair in pairs]
    assert kept.source_lengths.tolist() == [len(pair.source) for pair in pairs]
    assert kept.target_lengths.tolist() == [len(pair.target) + 1 for pair in pairs]
    assert Pairs.of(iter(pairs)) == kept


@given(pairs=some_pairs, data=st.data())
def test_arrays_keep_the_chosen_pairs(pairs: list[Pair], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    kept = Pairs.of(pairs).where(np.array(chosen, dtype=bool))
    assert list(kept) == [pair for pair, is_chosen in zip(pairs, chosen, strict=True) if is_chosen]


def test_arrays_are_read_like_a_sequence() -> None:
    pairs = [Pair((5, EOS), (6,)), Pair((7, 8, EOS), ())]
    kept = Pairs.of(pairs)
    assert kept[-1] == pairs[-1]
    assert pairs[1] in kept
    assert kept != Pairs.of(reversed(pairs))
    with pytest.raises(IndexError):
        kept[2]


@pytest.mark.parametrize(("token", "bytes_of_one"), [(255, 1), (256, 2), (65_535, 2), (65_536, 4)])
def test_arrays_are_as_small_as_the_ids_allow(token: int, bytes_of_one: int) -> None:
    kept = Pairs.of([Pair((token, EOS), (5, token))])
    assert kept.ids.itemsize == bytes_of_one
    assert kept[0] == Pair((token, EOS), (5, token))


def test_a_pair_needs_two_bytes_for_a_token_and_two_numbers(
    text: ParallelText, vocabulary: Vocabulary
) -> None:
    pairs = encode_pairs(text, vocabulary, max_tokens=10_000).pairs
    n_tokens = sum(len(pair.source) + len(pair.target) for pair in pairs)
    n_bytes = pairs.ids.nbytes + pairs.edges.nbytes
    assert n_bytes == 2 * (n_tokens + 2 * len(pairs)) + 8 * (2 * len(pairs) + 1)
