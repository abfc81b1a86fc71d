from itertools import chain
from pathlib import Path

import pytest

from automoe.text import Corpus, Vocabulary, VocabularyError
from automoe.text.special_tokens import EOS
from automoe.training import TrainingData, vocabulary_for


def lengths(corpus: Corpus, vocabulary: Vocabulary, split: str) -> list[int]:
    """Tokens of the longer side, with the EOS that each side gets."""
    text = corpus.split(split)  # type: ignore[arg-type]
    return [
        1 + max(len(vocabulary.encode(source)), len(vocabulary.encode(target)))
        for source, target in zip(text.source, text.target, strict=True)
    ]


@pytest.fixture
def vocabulary(corpus: Corpus, tmp_path: Path) -> Vocabulary:
    return vocabulary_for(corpus, tmp_path / "v.model", size=40)


def test_too_long_pairs_are_left_out_of_training_only(
    corpus: Corpus, vocabulary: Vocabulary
) -> None:
    train = lengths(corpus, vocabulary, "train")
    limit = sorted(train)[len(train) // 2]
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=limit)
    assert data.n_left_out == sum(length > limit for length in train) > 0
    assert len(data.train) == len(train) - data.n_left_out
    assert max(pair.length for pair in data.train) == limit
    assert len(data.valid) == len(lengths(corpus, vocabulary, "valid"))
    assert max(pair.length for pair in data.valid) == limit
    assert {pair.source[-1] for pair in data.valid} == {EOS}


def test_no_short_pair_is_an_error(corpus: Corpus, vocabulary: Vocabulary) -> None:
    shortest = min(lengths(corpus, vocabulary, "train"))
    with pytest.raises(ValueError, match=f"must be at least {shortest}, the shortest .* Got 2"):
        TrainingData.prepare(corpus, vocabulary, max_sentence=2)


def test_validation_batches_hold_every_pair_once(data: TrainingData) -> None:
    rows = chain(*(batch.rows for batch in data.validation_batches(60)))
    assert sorted(rows) == list(range(len(data.valid)))


def test_a_vocabulary_is_trained_once(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "v.model"
    trained = vocabulary_for(corpus, path, size=40)
    assert trained.size == 40
    before = path.stat()
    for split in ("train.en", "train.de"):
        (corpus.folder / split).unlink()  # loading does not need the text
    assert vocabulary_for(corpus, path, size=40) == trained
    assert path.stat().st_ino == before.st_ino


def test_a_damaged_vocabulary_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "v.model"
    path.write_bytes(b"no vocabulary")
    with pytest.raises(VocabularyError, match="Not a SentencePiece model"):
        vocabulary_for(corpus, path, size=40)
