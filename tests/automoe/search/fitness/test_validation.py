import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import joblib
import pytest
import torch
from support.small_text import small_space, write_corpus

from automoe.architecture.space import SearchSpace
from automoe.search import SupernetFitness, ValidationFitness, supernet_fitness
from automoe.search.fitness.validation import _validation_fitness
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Corpus, Pair, evaluation_batches
from automoe.training import TrainingData, validation_loss, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.supernet_run import remember_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write_corpus(tmp_path / "text")


def supernet(folder: Path, corpus: Corpus, seed: int = 0) -> TrainedModel:
    """An untrained supernet: its losses differ all the same."""
    space = small_space()
    folder.mkdir(exist_ok=True)
    vocabulary = vocabulary_for(corpus, folder / VOCABULARY, size=40)
    model = Transformer(TransformerConfig.for_space(space), seed=seed).eval()
    trained = TrainedModel(model, vocabulary, space)
    trained.save(folder)
    return trained


def test_files_give_the_loss_of_the_model_in_memory(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    trained = supernet(tmp_path / "run", corpus)
    data = TrainingData.prepare(corpus, trained.vocabulary, max_sentence=250)
    in_memory = ValidationFitness(trained.model, data.validation_batches(4096))
    architecture = space.sample(Random(0))
    assert SupernetFitness(tmp_path / "run", corpus)(architecture) == pytest.approx(
        in_memory(architecture), rel=1e-6
    )


def test_sentences_are_cut_where_training_cut_them(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    folder, architecture = tmp_path / "run", space.sample(Random(0))
    trained = supernet(folder, corpus)
    uncut = SupernetFitness(folder, corpus)
    loss, digest = uncut(architecture), uncut.digest
    remember_corpus(folder, corpus, max_sentence=250)  # the default, and that of 0.1.0
    assert uncut.digest == digest
    remember_corpus(folder, corpus, max_sentence=5)
    assert uncut.digest != digest  # the losses that are kept are of other sentences
    data = TrainingData.prepare(corpus, trained.vocabulary, max_sentence=250)
    cut = [Pair((*x.source[:4], x.source[-1]), x.target[:4]) for x in data.valid]
    assert max(len(x.source) for x in data.valid) > 5
    expected = validation_loss(trained.model, evaluation_batches(cut, max_tokens=99), architecture)
    _validation_fitness.cache_clear()
    assert uncut(architecture) == pytest.approx(expected, rel=1e-6)
    assert expected != pytest.approx(loss, rel=1e-3)


def test_part_of_the_text_is_every_so_many_sentences(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    trained = supernet(tmp_path / "run", corpus)
    data = TrainingData.prepare(corpus, trained.vocabulary, max_sentence=250)
    fourth = TrainingData(data.vocabulary, data.train, data.valid[::4], 0)
    expected = ValidationFitness(trained.model, fourth.validation_batches(4096))
    stages = supernet_fitness(tmp_path / "run", corpus, halvings=2)
    assert [stage.every for stage in stages] == [16, 4, 1]
    architecture = space.sample(Random(0))
    assert stages[1](architecture) == pytest.approx(expected(architecture), rel=1e-6)
    assert stages[1](architecture) != stages[2](architecture)


def test_another_process_needs_names_only(corpus: Corpus, tmp_path: Path) -> None:
    supernet(tmp_path / "run", corpus)
    described = SupernetFitness(tmp_path / "run", corpus)
    described(small_space().smallest())
    sent = io.BytesIO()
    joblib.dump(described, sent)
    assert len(sent.getvalue()) < 2000


def test_a_supernet_trained_anew_is_read_anew(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    fitness, architecture = SupernetFitness(tmp_path / "run", corpus), space.smallest()
    supernet(tmp_path / "run", corpus)
    first, digest = fitness(architecture), fitness.digest
    supernet(tmp_path / "run", corpus, seed=1)
    assert fitness(architecture) != first
    assert fitness.digest != digest


def test_a_text_that_changed_is_read_anew(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    supernet(tmp_path / "run", corpus)
    fitness, architecture = SupernetFitness(tmp_path / "run", corpus), space.smallest()
    first = fitness(architecture)
    valid = corpus.folder / "valid.en"
    valid.write_text(valid.read_text().replace("house", "horse"))
    assert fitness(architecture) != first


def test_threads_of_a_worker_take_turns(corpus: Corpus, space: SearchSpace, tmp_path: Path) -> None:
    supernet(tmp_path / "run", corpus)
    fitness, rng = SupernetFitness(tmp_path / "run", corpus), Random(1)
    some = [space.sample(rng) for _ in range(8)]
    alone = [fitness(a) for a in some]
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(fitness, some)) == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_the_digest_tells_texts_and_parts_apart(corpus: Corpus, tmp_path: Path) -> None:
    supernet(tmp_path / "run", corpus)
    whole = SupernetFitness(tmp_path / "run", corpus)
    half = SupernetFitness(tmp_path / "run", corpus, every=2)
    before = whole.digest
    assert half.digest != before
    valid = corpus.folder / "valid.en"
    valid.write_text(valid.read_text().replace("house", "horse"))
    assert whole.digest != before


def test_the_threads_of_torch_are_left_as_they_were(
    corpus: Corpus, space: SearchSpace, tmp_path: Path
) -> None:
    supernet(tmp_path / "run", corpus)
    torch.set_num_threads(2)
    try:
        SupernetFitness(tmp_path / "run", corpus)(space.smallest())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
