"""Ctrl-C while a model is trained."""

import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import TrainingData, TrainingSettings, train, uniform
from automoe.training.checkpoint import updates_done
from automoe.training.interruption import waiting_interruption


def supernet(space: SearchSpace, settings: TrainingSettings) -> Transformer:
    config = TransformerConfig.for_space(space, dropout=settings.dropout)
    return Transformer(config, seed=settings.seed)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_training_saves_its_last_update(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    assert settings.save_every == 3
    whole = supernet(space, settings)
    expected = train(whole, data, settings, folder=tmp_path / "whole", subnets=uniform(space, 0))

    def interrupt(done: int, total: int, note: str = "") -> None:
        if done == 5:  # after the checkpoint at 3, before the one at 6
            press_ctrl_c()

    folder, before = tmp_path / "halves", signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"^A checkpoint of update 5 of \d+ was saved\.$"):
        train(
            supernet(space, settings),
            data,
            settings,
            folder=folder,
            subnets=uniform(space, 0),
            on_progress=interrupt,
        )
    assert signal.getsignal(signal.SIGINT) is before
    assert updates_done(folder) == 5
    resumed = supernet(space, settings)
    result = train(resumed, data, settings, folder=folder, subnets=uniform(space, 0))
    assert result.resumed_at == 5
    assert result.history == expected.history
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_an_interruption_of_the_last_update_is_not_lost(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    def interrupt(done: int, total: int, note: str = "") -> None:
        if done == total:
            press_ctrl_c()

    model, subnets = supernet(space, settings), uniform(space, 0)
    with pytest.raises(KeyboardInterrupt, match="was saved"):
        train(model, data, settings, folder=tmp_path, subnets=subnets, on_progress=interrupt)
    assert updates_done(tmp_path) == settings.updates


def test_an_impatient_user_interrupts_at_once() -> None:
    with waiting_interruption(is_alone=True) as interruption:
        press_ctrl_c()
        assert interruption.is_asked_for
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_processes_that_train_together_do_not_wait_for_one_that_stops() -> None:
    before = signal.getsignal(signal.SIGINT)
    with waiting_interruption(is_alone=False):
        assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_and_other_handlers_are_left_alone() -> None:
    raised: list[BaseException] = []

    def enter() -> None:
        try:
            with waiting_interruption(is_alone=True):
                pass
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert raised == []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with waiting_interruption(is_alone=True):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
