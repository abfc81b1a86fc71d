from pathlib import Path

import pytest
import torch
from support.small_text import small_space, write_corpus

from automoe.search import BleuFitness
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import TrainingSettings, train_supernet, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel


def test_a_supernet_that_knows_its_text_scores_better_than_one_that_does_not(
    tmp_path: Path,
) -> None:
    corpus, space = write_corpus(tmp_path / "text"), small_space()
    settings = TrainingSettings.of(
        updates=500, max_tokens=120, learning_rate=0.005, warmup_updates=20, max_sentence=40
    )
    train_supernet(space, corpus, settings, folder=tmp_path / "knows")
    unable = tmp_path / "unable"
    unable.mkdir()
    vocabulary = vocabulary_for(corpus, unable / VOCABULARY, size=40)
    torch.manual_seed(0)
    model = Transformer(TransformerConfig.for_space(space)).eval()
    TrainedModel(model, vocabulary, space).save(unable)
    largest = space.largest()
    knowing, other = (
        BleuFitness(tmp_path / name, corpus, sentences=10)(largest) for name in ("knows", "unable")
    )
    assert -100 <= knowing < -1
    assert -1 < other <= 0


def test_the_digest_tells_what_a_score_depends_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "text")
    folder = tmp_path / "run"
    folder.mkdir()
    vocabulary = vocabulary_for(corpus, folder / VOCABULARY, size=40)
    model = Transformer(TransformerConfig.for_space(small_space())).eval()
    TrainedModel(model, vocabulary, small_space()).save(folder)
    digests = {
        BleuFitness(folder, corpus).digest,
        BleuFitness(folder, corpus, beam=4).digest,
        BleuFitness(folder, corpus, sentences=5).digest,
    }
    assert len(digests) == 3
    assert BleuFitness(folder, corpus).digest in digests


@pytest.mark.parametrize("sentences", [1, 7, 20, 1000])
def test_sentences_are_spread_over_the_text(sentences: int, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "text")
    text = BleuFitness(tmp_path, corpus, sentences=sentences).text()
    assert len(text) == min(sentences, 20)
    assert set(text.source) <= set(corpus.split("valid").source)
    if sentences == 7:
        assert len({line.split()[1] for line in text.source}) > 3, "all from the beginning"
