import pytest

from automoe.text import Corpus, Pair, ParallelText, Vocabulary, encode_pairs
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
    assert encoded.pairs == tuple(pair for pair in everything if pair.length <= 50)
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
    assert encode_pairs(ParallelText((), ()), vocabulary, max_tokens=5).pairs == ()


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
