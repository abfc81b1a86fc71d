from pathlib import Path

import pytest
import torch
from support.models import tokens
from support.small_text import small_space, write_corpus

from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Vocabulary, VocabularyError
from automoe.training.model_folder import ModelFolderError, TrainedModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    space = small_space()
    vocabulary = Vocabulary.train(
        write_corpus(tmp_path / "text"), size=40, model_path=tmp_path / "v.model"
    )
    model = Transformer(TransformerConfig.for_space(space), seed=3)
    TrainedModel(model, vocabulary, space).save(tmp_path / "model")
    return tmp_path / "model"


def test_a_model_comes_back_as_it_was(folder: Path, torch_rng: torch.Generator) -> None:
    loaded = TrainedModel.load(folder)
    original = Transformer(TransformerConfig.for_space(small_space()), seed=3).eval()
    source, target = (tokens(torch_rng, *lengths, vocab_size=40) for lengths in ((5, 3), (4, 6)))
    assert torch.equal(loaded.model(source, target).logits_BTV, original(source, target).logits_BTV)
    assert loaded.space == small_space()


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"model\.json is missing.*'automoe train'"):
        TrainedModel.load(tmp_path)


def test_a_newer_file_is_refused(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9', 1))
    with pytest.raises(ModelFolderError, match="must be 1. Got 9; upgrade automoe"):
        TrainedModel.load(folder)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_truncated_file_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelFolderError, match="not a model's description|is damaged"):
        TrainedModel.load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.model"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises((ModelFolderError, VocabularyError), match=f"{name}|is damaged"):
        TrainedModel.load(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"vocab_size": 40', f'"vocab_size": {10**12}'))
    # So much memory is nowhere: the shapes are compared before anything is allocated.
    message = r"'target_embedding' must have shape \(1000000000000, \d+\), as 'model.json' says."
    with pytest.raises(ModelFolderError, match=message):
        TrainedModel.load(folder)


def test_a_space_that_is_none_is_refused(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"max_experts": 3', '"max_experts": 0'))
    with pytest.raises(ModelFolderError, match=r"model\.json': 'max_experts': .* Got 0"):
        TrainedModel.load(folder)


def test_a_stand_alone_model_is_no_supernet(folder: Path, tmp_path: Path) -> None:
    supernet, space = TrainedModel.load_supernet(folder)
    assert space == small_space()
    alone = TrainedModel(supernet.model, supernet.vocabulary)
    alone.save(tmp_path / "alone")
    assert TrainedModel.load(tmp_path / "alone").space is None
    with pytest.raises(ModelFolderError, match="stand-alone model. Give a supernet made by"):
        TrainedModel.load_supernet(tmp_path / "alone")


def test_saving_again_replaces_the_model(folder: Path) -> None:
    files = sorted(path.name for path in folder.iterdir())
    TrainedModel.load(folder).save(folder)
    assert sorted(path.name for path in folder.iterdir()) == files
    assert files == ["model.json", "model.safetensors", "vocabulary.model"]


def test_a_model_tells_what_it_is_in_a_few_lines(folder: Path) -> None:
    told = repr(TrainedModel.load(folder))
    n_weights = sum(each.numel() for each in TrainedModel.load(folder).model.parameters())
    assert told.splitlines()[0] == "TrainedModel"
    assert f"{n_weights / 1e6:.2f} million" in told
    assert len(told.splitlines()) == 6
