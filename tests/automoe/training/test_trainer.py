from pathlib import Path

import pytest
import torch

from automoe.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import (
    CheckpointError,
    TrainingData,
    TrainingSettings,
    sandwich,
    train,
    uniform,
    validation_loss,
)


def supernet(space: SearchSpace, settings: TrainingSettings) -> Transformer:
    config = TransformerConfig.for_space(space, dropout=settings.dropout)
    return Transformer(config, seed=settings.seed)


def changed(settings: TrainingSettings, **changes: object) -> TrainingSettings:
    return TrainingSettings.of(**{**settings.model_dump(), **changes})


class Stopped(Exception):  # noqa: N818  stands for a kill
    pass


def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    whole = supernet(space, settings)
    train(whole, data, settings, folder=tmp_path / "whole", subnets=uniform(space, 0))

    def stop(done: int, total: int, note: str = "") -> None:
        if done == 5:  # after the checkpoint at 3, before the one at 6
            raise Stopped

    halves = supernet(space, settings)
    with pytest.raises(Stopped):
        train(
            halves,
            data,
            settings,
            folder=tmp_path / "halves",
            subnets=uniform(space, 0),
            on_progress=stop,
        )
    fresh = supernet(space, settings)
    result = train(fresh, data, settings, folder=tmp_path / "halves", subnets=uniform(space, 0))
    assert result.resumed_at == 3
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, fresh.state_dict()[name]), name


def test_training_learns(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    settings = changed(settings, updates=60, dropout=0.0, save_every=60, validate_every=60)
    model = supernet(space, settings)
    batches = data.validation_batches(200)
    before = validation_loss(model, batches)
    result = train(model, data, settings, folder=tmp_path / "run")
    assert validation_loss(model, batches) < 0.6 * before
    assert result.history[-1].valid_loss == pytest.approx(validation_loss(model, batches))


def test_accumulated_batches_weigh_as_one(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    # All sentences in one batch, or the same ones in several: the same gradient.
    one = changed(settings, updates=1, max_tokens=4000, dropout=0.0, balance_weight=0.0)
    n_batches = len(list(data.validation_batches(120)))
    several = changed(one, max_tokens=120, accumulate=n_batches)
    models = []
    for name, chosen in (("one", one), ("several", several)):
        model = supernet(space, chosen)
        train(model, data, chosen, folder=tmp_path / name)
        models.append(model.state_dict())
    for name, weight in models[0].items():
        if name.endswith("key.bias"):
            continue  # shifts all scores alike, so its gradient is rounding, which Adam amplifies
        torch.testing.assert_close(weight, models[1][name], rtol=1e-3, atol=1e-5)


def test_sandwich_trains_every_expert(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    model = supernet(space, settings)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    train(model, data, settings, folder=tmp_path / "run", subnets=sandwich(space, 0))
    last = "encoder.1.feed_forward.experts.2.expand.weight"
    assert not torch.equal(before[last], model.state_dict()[last])


def test_other_settings_are_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    train(supernet(space, settings), data, settings, folder=tmp_path / "run")
    other = changed(settings, learning_rate=0.02)
    with pytest.raises(CheckpointError, match="written by a run with other settings"):
        train(supernet(space, other), data, other, folder=tmp_path / "run")


def test_a_damaged_checkpoint_is_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="is damaged .* Delete it to start this run again"):
        train(supernet(space, settings), data, settings, folder=tmp_path)
