import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace, SpaceError
from automoe.supernet import Transformer, extract
from automoe.text import Corpus, VocabularyError
from automoe.training import (
    ONNX,
    TrainingData,
    TrainingSettings,
    finetune,
    remembered_corpus,
    train_supernet,
    validation_loss,
    vocabulary_for,
)
from automoe.training.finetuning import _of_supernet
from automoe.training.model_folder import ModelFolderError, TrainedModel
from automoe.translation import Translator


@pytest.fixture
def trained(
    space: SearchSpace, corpus: Corpus, settings: TrainingSettings, tmp_path: Path
) -> TrainedModel:
    train_supernet(space, corpus, settings, folder=tmp_path / "supernet")
    return TrainedModel.load_supernet(tmp_path / "supernet")[0]


def test_a_supernet_remembers_its_space_and_text(
    trained: TrainedModel, space: SearchSpace, corpus: Corpus, tmp_path: Path
) -> None:
    assert trained.space == space
    assert remembered_corpus(tmp_path / "supernet").split("valid") == corpus.split("valid")


def test_inherited_weights_are_the_extracted_ones(
    trained: TrainedModel, space: SearchSpace, settings: TrainingSettings
) -> None:
    model = _of_supernet(space.smallest(), settings, trained)
    subnet = extract(trained.model, space.smallest())
    for name, weight in subnet.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_fine_tuning_starts_from_the_slice_of_the_supernet(
    trained: TrainedModel,
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    # A rate this small moves no weight: what is saved is what it began with.
    still = settings.model_copy(update={"updates": 1, "learning_rate": 1e-30})
    finetune(space.smallest(), corpus, still, folder=tmp_path / "model", supernet=trained)
    saved = TrainedModel.load(tmp_path / "model")
    subnet = extract(trained.model, space.smallest())
    assert saved.model.state_dict().keys() == subnet.state_dict().keys()
    for name, weight in subnet.state_dict().items():
        assert torch.equal(weight, saved.model.state_dict()[name])
    batches = TrainingData.prepare(corpus, trained.vocabulary, max_sentence=40).validation_batches(
        120
    )
    inherited = validation_loss(trained.model, batches, space.smallest())
    assert validation_loss(saved.model, batches) == pytest.approx(inherited, rel=1e-5)


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_the_final_model_translates(
    precision: str,
    trained: TrainedModel,
    sparse_of_space: Architecture,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    settings = settings.model_copy(update={"precision": precision})
    finetune(sparse_of_space, corpus, settings, folder=tmp_path / "model", supernet=trained)
    translation = Translator.open(tmp_path / "model" / ONNX).translate("The house is red.")
    assert translation.source_tokens > 1
    stand_alone = TrainedModel.load(tmp_path / "model")
    assert stand_alone.model.config.architecture == sparse_of_space
    assert stand_alone.vocabulary.sha256 == trained.vocabulary.sha256


@pytest.fixture
def sparse_of_space(space: SearchSpace) -> Architecture:
    return space.largest()


def test_an_architecture_of_another_space_is_refused(
    trained: TrainedModel,
    sparse: Architecture,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    with pytest.raises(SpaceError, match="must be one of"):
        finetune(sparse, corpus, settings, folder=tmp_path / "model", supernet=trained)


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        ({"architecture_id": "0123456789ab"}, "The search is of architecture 0123456789ab"),
        ({"latency_ms": {}}, "The search's result is not what 'automoe search' writes"),
    ],
)
def test_a_result_that_does_not_fit_is_refused_before_the_training(
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
    searched: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        finetune(space.smallest(), corpus, settings, folder=tmp_path / "m", searched=searched)
    assert not (tmp_path / "m").exists()


def test_a_stand_alone_model_is_no_supernet(
    space: SearchSpace, corpus: Corpus, settings: TrainingSettings, tmp_path: Path
) -> None:
    finetune(space.smallest(), corpus, settings, folder=tmp_path / "model", vocab_size=40)
    with pytest.raises(ModelFolderError, match="holds a stand-alone model"):
        TrainedModel.load_supernet(tmp_path / "model")


def test_a_vocabulary_of_another_size_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "v.model"
    vocabulary_for(corpus, path, size=40)
    with pytest.raises(VocabularyError, match="must hold 35 pieces. Got 40"):
        vocabulary_for(corpus, path, size=35)


def test_a_model_from_scratch_takes_the_vocabulary_alone(
    trained: TrainedModel,
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    # A rate this small moves no weight: what is saved is what it began with.
    still = settings.model_copy(
        update={"updates": 1, "learning_rate": 1e-30, "initial_weights": "scratch", "norm": "pre"}
    )
    result = finetune(space.smallest(), corpus, still, folder=tmp_path / "m", supernet=trained)
    model = TrainedModel.load(tmp_path / "m")
    assert model.vocabulary.sha256 == trained.vocabulary.sha256
    assert model.model.config.pre_norm  # not the place that the supernet has
    config = replace(trained.model.config, architecture=space.smallest(), pre_norm=True)
    fresh, subnet = (
        Transformer(config, seed=settings.seed),
        extract(trained.model, space.smallest()),
    )
    name = "encoder.0.attention.query.weight"
    weight = model.model.state_dict()[name]
    assert torch.equal(weight, fresh.state_dict()[name])
    assert not torch.equal(weight, subnet.state_dict()[name])
    final = json.loads((tmp_path / "m" / "final_weights.json").read_text())
    assert final["updates"] == [1]
    assert final["valid_loss"] == result.final.valid_loss
    assert final["description"] == "those of update 1, the best by the loss of 1 validation"
