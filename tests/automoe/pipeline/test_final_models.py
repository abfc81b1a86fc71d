"""Two final models, trained in a process each and one after the other."""

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file
from support.small_text import small_space, write_corpus

from automoe.pipeline import final_models
from automoe.pipeline.final_models import (
    FinalModel,
    can_train_together,
    claimed_folder,
    train_together,
)
from automoe.progress import OnProgress, no_progress
from automoe.text import CorpusError
from automoe.training import ONNX, TrainingSettings, train_supernet
from automoe.training.kept_weights import FinalWeights
from automoe.training.model_folder import WEIGHTS

UPDATES = 4


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings.of(
        updates=UPDATES, max_tokens=200, max_sentence=40, warmup_updates=1, **changes
    )


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("final")
    corpus = write_corpus(folder / "text")
    train_supernet(small_space(), corpus, settings(), folder=folder / "supernet")
    return folder / "supernet"


def two_models(supernet: Path, folder: Path) -> list[FinalModel]:
    space = small_space()
    architectures = {"winner": space.smallest(), "baseline": space.largest(experts=1)}
    return [
        FinalModel(
            name=name,
            architecture=architecture,
            corpus=write_corpus(supernet.parent / "text"),
            settings=settings(),
            supernet=supernet,
            folder=folder / name,
        )
        for name, architecture in architectures.items()
    ]


def told_of(models: Sequence[FinalModel]) -> list[tuple[int, int, str]]:
    """Train models side by side, and return what was reported."""
    told = []
    trained = train_together(models, lambda *told_now: told.append(told_now))
    assert trained is not None
    assert {name: weights.updates for name, weights in trained.items()} == {
        "winner": (UPDATES,),
        "baseline": (UPDATES,),
    }
    return told


@pytest.mark.slow
def test_models_trained_side_by_side_are_those_trained_one_after_the_other(
    supernet: Path, tmp_path: Path
) -> None:
    together = two_models(supernet, tmp_path / "together")
    done, total, note = told_of(together)[-1]
    assert (done, total) == (2 * UPDATES, 2 * UPDATES)
    assert note.startswith("winner: loss ")
    assert ", baseline: loss " in note
    for model, alone in zip(together, two_models(supernet, tmp_path / "alone"), strict=True):
        assert not alone.is_trained
        alone.train(no_progress)
        assert alone.is_trained
        assert model.is_trained
        assert (model.folder / ONNX / "decoder.onnx").exists()
        mine, other = (load_file(each.folder / WEIGHTS) for each in (model, alone))
        for name, weight in mine.items():  # the number of threads may change the last digits
            assert weight.numpy() == pytest.approx(other[name].numpy(), abs=1e-4), name


@pytest.mark.slow
def test_an_error_of_one_training_is_raised(supernet: Path, tmp_path: Path) -> None:
    models = two_models(supernet, tmp_path)
    broken = write_corpus(tmp_path / "text")
    (broken.folder / "train.de").write_bytes(b"")
    object.__setattr__(models[1], "corpus", broken)
    with pytest.raises(CorpusError, match="train.de' is empty"):
        train_together(models, no_progress)


class Dying(FinalModel):
    """A model whose process dies, as without memory."""

    def train(self, on_progress: OnProgress) -> FinalWeights:
        os._exit(9)


@pytest.mark.slow
def test_a_process_that_dies_is_told_to_the_caller(supernet: Path, tmp_path: Path) -> None:
    model = two_models(supernet, tmp_path)[0]
    fields = {name: getattr(model, name) for name in FinalModel.__slots__}
    assert train_together([Dying(**fields), model], no_progress) is None


def test_two_models_are_trained_together_where_each_has_a_core(
    supernet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = two_models(supernet, tmp_path)
    for usable, threads, together in ((1, 2, False), (2, 2, True), (64, 64, True), (64, 1, False)):
        monkeypatch.setattr(final_models, "usable_cores", lambda host, n=usable: n)
        monkeypatch.setattr(torch, "get_num_threads", lambda n=threads: n)
        assert can_train_together(models, jobs=None) is together
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert can_train_together(models, jobs=2)
    assert not can_train_together(models, jobs=1)
    assert not can_train_together(models[:1], jobs=None)
    models[0].train(no_progress)
    assert not can_train_together(models, jobs=None)  # one is left


def test_the_model_of_another_winner_is_set_aside(tmp_path: Path) -> None:
    space, rng = small_space(), Random(0)
    one, other = (space.sample(rng) for _ in range(2))
    folder = tmp_path / "winner"
    for architecture in (one, other, one):
        assert claimed_folder(architecture, folder) == folder
        (folder / "trained").touch() if architecture is other else None
    assert not (folder / "trained").exists()
    assert (tmp_path / f"winner-{other.id}" / "trained").exists()
    assert claimed_folder(other, folder) == folder
    assert (folder / "trained").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["winner", f"winner-{one.id}"]
