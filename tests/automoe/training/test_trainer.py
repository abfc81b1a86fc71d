from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import (
    CheckpointError,
    DivergedError,
    TrainingData,
    TrainingSettings,
    sandwich,
    train,
    trainer,
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


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    model = supernet(space, settings)

    def spoil(done: int, total: int, note: str = "") -> None:
        if done == 5:  # after the checkpoint at 3
            with torch.no_grad():
                model.target_embedding[5:] = float("nan")

    message = (
        "Training diverged at update 6: the loss is nan. The last good checkpoint: update 3 in .*"
        "--learning-rate below 0.01, --warmup-updates above 2, a --clip-norm"
    )
    with pytest.raises(DivergedError, match=message):
        train(model, data, settings, folder=tmp_path, on_progress=spoil)
    tensors = load_file(tmp_path / "checkpoint.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    # The checkpoint is that of a run that was stopped, so the same run goes on from it.
    again = train(supernet(space, settings), data, settings, folder=tmp_path)
    assert again.resumed_at == 3


def test_a_learning_rate_that_is_too_high_is_told(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    wild = changed(settings, learning_rate=1e30, warmup_updates=0, save_every=1)
    with pytest.raises(DivergedError, match="diverged at update 2: .* last good checkpoint: upd"):
        train(supernet(space, wild), data, wild, folder=tmp_path)


def test_weights_that_are_not_finite_are_not_saved(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    model = supernet(space, settings)

    def spoil(done: int, total: int, note: str = "") -> None:
        if done == 3:  # before the checkpoint at 3
            with torch.no_grad():
                model.target_embedding[-1, 0] = float("inf")

    with pytest.raises(DivergedError, match="update 3: the weight 'target_embedding' is not fin"):
        train(model, data, settings, folder=tmp_path, on_progress=spoil)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_subnet_that_diverges_is_noticed(
    space: SearchSpace,
    data: TrainingData,
    settings: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    infinite = torch.tensor(float("inf"), requires_grad=True)
    monkeypatch.setattr(trainer, "distillation_loss", lambda *_: infinite * 1)
    model = supernet(space, settings)
    with pytest.raises(DivergedError, match="diverged at update 1: the loss is nan. .*: none. "):
        train(model, data, settings, folder=tmp_path, subnets=sandwich(space, 0))


def test_another_number_of_processes_is_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    train(supernet(space, settings), data, settings, folder=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["n_processes"] == "1"
    tensors = load_file(path)
    save_file(tensors, path, {**metadata, "n_processes": "2"})
    with pytest.raises(CheckpointError, match="was started with 2 processes, .* than 1. Continue"):
        train(supernet(space, settings), data, settings, folder=tmp_path)
    del metadata["n_processes"], metadata["scaler"]  # as 0.1.0 wrote it
    save_file(tensors, path, metadata)
    resumed = train(supernet(space, settings), data, settings, folder=tmp_path)
    assert resumed.resumed_at == settings.updates


def test_the_scaler_of_fp16_goes_on_as_it_was(
    space: SearchSpace,
    data: TrainingData,
    settings: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Accelerate has fp16 on a GPU only; here its scaler stands in, on the CPU."""
    scalers: list[torch.amp.GradScaler] = []

    class Accelerator(trainer.Accelerator):  # type: ignore[misc, name-defined]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=2)
            scalers.append(self.scaler)

    monkeypatch.setattr(trainer, "Accelerator", Accelerator)

    def stop(done: int, total: int, note: str = "") -> None:
        if done == 5:
            raise Stopped

    whole, halves, fresh = (supernet(space, settings) for _ in range(3))
    train(whole, data, settings, folder=tmp_path / "whole")
    with pytest.raises(Stopped):
        train(halves, data, settings, folder=tmp_path / "halves", on_progress=stop)
    train(fresh, data, settings, folder=tmp_path / "halves")
    # Eight updates without an overflow double the scale every second time.
    assert scalers[0].get_scale() == 64.0 * 2**4
    assert scalers[2].state_dict() == scalers[0].state_dict()
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, fresh.state_dict()[name]), name


@pytest.mark.parametrize("precisions", [("bf16", "no"), ("no", "bf16")])
def test_trainings_of_one_process_may_have_other_precisions(
    precisions: tuple[str, str],
    space: SearchSpace,
    data: TrainingData,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    """A run trains its supernet and its final models in one process."""
    for precision in precisions:
        each = changed(settings, updates=1, precision=precision)
        result = train(supernet(space, each), data, each, folder=tmp_path / precision)
        assert result.history[-1].update == 1


def test_a_model_that_was_trained_in_bfloat16_computes_in_float32(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    mixed = changed(settings, updates=1, precision="bf16")
    model, fresh = supernet(space, mixed), supernet(space, mixed)
    train(model, data, mixed, folder=tmp_path)
    fresh.load_state_dict(model.state_dict())
    batch = data.validation_batches(200)[0]
    logits_BTV = model.eval()(batch.source_BS, batch.target_in_BT).logits_BTV
    expected_BTV = fresh.eval()(batch.source_BS, batch.target_in_BT).logits_BTV
    assert logits_BTV.dtype == torch.float32
    assert torch.equal(logits_BTV, expected_BTV)


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
    moments = []
    for name, chosen in (("one", one), ("several", several)):
        train(supernet(space, chosen), data, chosen, folder=tmp_path / name)
        tensors = load_file(tmp_path / name / "checkpoint.safetensors")
        moments.append({k: v for k, v in tensors.items() if k.endswith("exp_avg")})
    # Adam's first step is hardly more than the gradient's sign; its moment is a tenth of it.
    assert max(float(moment.abs().max()) for moment in moments[0].values()) > 1e-2
    torch.testing.assert_close(moments[0], moments[1], rtol=1e-4, atol=1e-6)


def test_sandwich_trains_every_expert(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    model = supernet(space, settings)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    train(model, data, settings, folder=tmp_path / "run", subnets=sandwich(space, 0))
    last = "encoder.1.feed_forward.experts.2.expand.weight"
    assert not torch.equal(before[last], model.state_dict()[last])


def test_two_trainings_do_not_share_a_folder(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with (
        FileLock(folder / "training.lock"),  # as of another process
        pytest.raises(CheckpointError, match="is being trained into by another process. Wait"),
    ):
        train(supernet(space, settings), data, settings, folder=folder)
    assert [path.name for path in folder.iterdir()] == ["training.lock"]


def test_other_settings_are_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    train(supernet(space, settings), data, settings, folder=tmp_path / "run")
    other = changed(settings, learning_rate=0.02, save_every=1)
    message = (
        r"by a run with other settings, .* \('learning_rate' was 0\.01 and is 0\.02\)\. Choose"
    )
    with pytest.raises(CheckpointError, match=message):
        train(supernet(space, other), data, other, folder=tmp_path / "run")


def test_a_damaged_checkpoint_is_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="is damaged .* Delete it to start this run again"):
        train(supernet(space, settings), data, settings, folder=tmp_path)


def test_another_space_of_the_same_shape_is_refused(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train(supernet(space, settings), data, settings, folder=folder, subnets=uniform(space, 0))
    other = space.with_experts(fractional=False)
    assert other.largest() == space.largest()
    with pytest.raises(CheckpointError, match="other settings, space or text"):
        train(supernet(other, settings), data, settings, folder=folder, subnets=uniform(other, 0))


def test_a_finished_run_is_not_trained_again(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    first, again = supernet(space, settings), supernet(space, settings)
    result = train(first, data, settings, folder=tmp_path)
    rare = changed(settings, save_every=100, validate_every=100)  # may differ
    resumed = train(again, data, rare, folder=tmp_path)
    assert resumed.resumed_at == settings.updates
    assert resumed.history == result.history
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )


def test_history_covers_the_run(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    notes: list[str] = []

    def progress(done: int, total: int, note: str = "") -> None:
        told.append((done, total))
        notes.append(note)

    result = train(supernet(space, settings), data, settings, folder=tmp_path, on_progress=progress)
    assert told == [(done, 8) for done in range(1, 9)]
    # Saved at 3, 6 and 8, validated at 4 and 8.
    assert [record.update for record in result.history] == [3, 4, 6, 8]
    assert [record.valid_loss is not None for record in result.history] == [
        *(False, True, False, True)
    ]
    validated = [record.valid_loss for record in result.history if record.valid_loss is not None]
    assert "validation" not in notes[2]
    for place, loss in zip((3, 7), validated, strict=True):  # each is told once it is known
        assert notes[place].endswith(f", validation loss {loss:.4f}")


def test_other_first_weights_are_another_run(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    train(supernet(space, settings), data, settings, folder=tmp_path / "run")
    inherited = supernet(space, settings)
    with torch.no_grad():
        inherited.target_embedding[5, 0] += 1
    with pytest.raises(CheckpointError, match="written by a run with other settings"):
        train(inherited, data, settings, folder=tmp_path / "run")
