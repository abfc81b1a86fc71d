from pathlib import Path

import pytest
from support.small_text import small_space, write_corpus

from automoe.architecture.space import SearchSpace
from automoe.text import Corpus
from automoe.training import TrainingData, TrainingSettings, vocabulary_for


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write_corpus(tmp_path / "text")


@pytest.fixture
def space() -> SearchSpace:
    return small_space()


@pytest.fixture
def data(corpus: Corpus, tmp_path: Path) -> TrainingData:
    vocabulary = vocabulary_for(corpus, tmp_path / "vocabulary.model", size=40)
    return TrainingData.prepare(corpus, vocabulary, max_sentence=40)


@pytest.fixture
def settings() -> TrainingSettings:
    return TrainingSettings.of(
        updates=8,
        max_tokens=120,
        learning_rate=0.01,
        warmup_updates=2,
        dropout=0.1,
        max_sentence=40,
        save_every=3,
        validate_every=4,
    )
