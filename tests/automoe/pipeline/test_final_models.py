"""Two final models, trained in a process each and one after the other."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from support.small_text import small_space, write_corpus

from automoe.architecture.architecture import ArchitectureError
from automoe.pipeline import final_models
from automoe.pipeline.final_models import (
    FinalModel,
    can_train_together,
    claimed_folder,
    train_together,
)
from automoe.progress import OnProgress, no_progress
from automoe.text import CorpusError
from automoe.training import ONNX, TrainingSettings, train_supernet, updates_done
from automoe.training.interruption import waiting_interruption
from automoe.training.kept_weights import FinalWeights
from automoe.training.model_folder import WEIGHTS

UPDATES = 4


def settings(**changes: object) -> TrainingSettings:
    of_all = {"updates": UPDATES, "max_tokens": 200, "max_sentence": 40, "warmup_updates": 1}
    return TrainingSettings.of(**{**of_all, **changes})


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("final")
    corpus = write_corpus(folder / "text")
    train_supernet(small_space(), corpus, settings(), folder=folder / "supernet")
    return folder / "supernet"


def two_models(supernet: Path, folder: Path, **changes: object) -> list[FinalModel]:
    space = small_space()
    architectures = {"winner": space.smallest(), "baseline": space.largest(experts=1)}
    return [
        FinalModel(
            name=name,
            architecture=architecture,
            corpus=write_corpus(supernet.parent / "text"),
            settings=settings(**changes),
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


def test_the_progress_of_several_trainings_is_that_of_the_slowest(tmp_path: Path) -> None:
    files = {"winner": tmp_path / "0", "baseline": tmp_path / "1"}
    told = []

    def report() -> None:
        final_models._report(files, lambda *told_now: told.append(told_now))

    files["winner"].write_text("500 900 loss 2.1")
    report()
    files["baseline"].write_text("400 900 loss 2.2")
    report()
    assert told == [(400, 900, "winner: loss 2.1, baseline: loss 2.2")]


@pytest.mark.slow
def test_models_trained_side_by_side_are_those_trained_one_after_the_other(
    supernet: Path, tmp_path: Path
) -> None:
    together = two_models(supernet, tmp_path / "together")
    done, total, note = told_of(together)[-1]
    assert (done, total) == (UPDATES, UPDATES)
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


LONG = {"updates": 10**6, "save_every": 10**6, "validate_every": 10**6}


@pytest.mark.slow
def test_an_interruption_that_reaches_no_other_process_saves_their_checkpoints(
    supernet: Path, tmp_path: Path
) -> None:
    models = two_models(supernet, tmp_path, **LONG)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_together(models, interrupt)
    assert [0 < updates_done(model.folder) < 10**6 for model in models] == [True, True]


@pytest.mark.parametrize("is_told_by_a_signal", [True, False])
def test_a_training_is_interrupted_once(tmp_path: Path, is_told_by_a_signal: bool) -> None:
    told = []

    def train(on_progress: OnProgress) -> None:
        with waiting_interruption(is_alone=True) as interruption:
            if is_told_by_a_signal:  # as by a Ctrl-C, which reaches every process of a terminal
                signal.raise_signal(signal.SIGINT)
            for done in range(3):
                on_progress(done, 3)  # a second interruption would raise KeyboardInterrupt
                told.append(interruption.is_asked_for)
                (tmp_path / "stop").touch()

    final_models._trained(SimpleNamespace(train=train), tmp_path / "0")  # type: ignore[arg-type]
    assert told == [is_told_by_a_signal, True, True]


def children_of(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.slow
def test_the_processes_end_when_their_parent_is_killed(supernet: Path, tmp_path: Path) -> None:
    models = two_models(supernet, tmp_path, **LONG)
    models[1] = two_models(supernet, tmp_path)[1]  # its process is idle soon
    parent = get_context("spawn").Process(target=train_together, args=(models, no_progress))
    parent.start()
    assert parent.pid is not None
    while not (models[0].folder / "training.lock").exists() or not models[1].is_trained:
        assert parent.is_alive()
        time.sleep(0.05)
    left = children_of(parent.pid)
    assert len(left) >= 2
    parent.kill()
    parent.join()
    try:
        deadline = time.monotonic() + 30  # on a busy machine
        while any(map(is_running, left)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_running, left))
    finally:
        for pid in filter(is_running, left):
            os.kill(pid, signal.SIGKILL)


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


def test_a_folder_that_does_not_tell_its_architecture_is_named(tmp_path: Path) -> None:
    architecture = small_space().smallest()
    note = claimed_folder(architecture, tmp_path / "winner") / "architecture.json"
    for written in ('{"decoder": {}}', "{"):
        note.write_text(written)
        message = "winner/architecture.json' does not tell .* To train again, delete '.*/winner'"
        with pytest.raises(ArchitectureError, match=message):
            claimed_folder(architecture, tmp_path / "winner")
