import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import automoe.training.checkpoint
from automoe.training.checkpoint import (
    FILE,
    Checkpoint,
    CheckpointError,
    Record,
    optimiser_state,
    restore_optimiser,
    updates_done,
)


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint(
        update=7,
        model={"layer.weight": torch.arange(6.0).reshape(2, 3).T, "bias": torch.tensor([0.1])},
        optimiser={"bias.exp_avg": torch.tensor([1e-30]), "bias.step": torch.tensor(7.0)},
        history=(Record(3, 2.5, None), Record(7, 1.0, 1.25)),
        digest="abc",
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.save(tmp_path)
    loaded = Checkpoint.load(tmp_path, digest="abc")
    assert loaded is not None
    assert (loaded.update, loaded.history) == (7, checkpoint.history)
    for found, saved in (
        (loaded.model, checkpoint.model),
        (loaded.optimiser, checkpoint.optimiser),
    ):
        assert found.keys() == saved.keys()
        assert all(torch.equal(found[name], saved[name]) for name in saved)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert Checkpoint.load(tmp_path, digest="abc") is None


def test_another_runs_checkpoint_is_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.save(tmp_path)
    with pytest.raises(CheckpointError, match="other settings, space or text. Choose another"):
        Checkpoint.load(tmp_path, digest="abd")


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_cut_file_is_refused(tmp_path: Path, checkpoint: Checkpoint, kept: int) -> None:
    checkpoint.save(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="is damaged .* Delete it to start this run again"):
        Checkpoint.load(tmp_path, digest="abc")


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {"history": "no JSON"},
        {"history": json.dumps([{"update": 1}])},
        {"update": "many"},
    ],
)
def test_other_metadata_is_refused(tmp_path: Path, changes: dict[str, str] | None) -> None:
    metadata = {"update": "1", "history": "[]", "fingerprint": "abc"}
    save_file({"x": torch.ones(1)}, tmp_path / FILE, changes and {**metadata, **changes})
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint.load(tmp_path, digest="abc")


def test_a_save_that_is_cut_off_leaves_the_previous_checkpoint(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path)

    def cut_off(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(automoe.training.checkpoint, "save_file", cut_off)
    with pytest.raises(KeyboardInterrupt):
        replace(checkpoint, update=8).save(tmp_path)
    loaded = Checkpoint.load(tmp_path, digest="abc")
    assert loaded is not None
    assert loaded.update == 7
    monkeypatch.undo()
    replace(checkpoint, update=9).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_restored_optimiser_steps_like_the_original() -> None:
    def parameters() -> dict[str, torch.nn.Parameter]:
        # One name begins with the other's, and one never gets a gradient.
        return {n: torch.nn.Parameter(torch.ones(2)) for n in ("layer.1", "layer.10", "unused")}

    def step(optimiser: torch.optim.Optimizer, of: dict[str, torch.nn.Parameter]) -> None:
        optimiser.zero_grad()
        (of["layer.1"].pow(3).sum() + 5 * of["layer.10"].pow(2).sum()).backward()
        optimiser.step()

    original = parameters()
    optimiser = torch.optim.Adam(original.values(), lr=0.1)
    for _ in range(3):
        step(optimiser, original)
    names = {id(p): name for name, p in original.items()}
    state = {k: v.clone() for k, v in optimiser_state(optimiser, names).items()}
    assert not any(name.startswith("unused") for name in state)

    restored = parameters()
    for name, parameter in restored.items():
        parameter.data.copy_(original[name].data)
    again = torch.optim.Adam(restored.values(), lr=0.1)
    restore_optimiser(again, state, {id(p): name for name, p in restored.items()})
    step(optimiser, original)
    step(again, restored)
    assert all(torch.equal(original[name], restored[name]) for name in original)


def test_how_far_a_run_is_can_be_read_without_its_weights(tmp_path: Path) -> None:
    assert updates_done(tmp_path) == 0
    Checkpoint(7, {"w": torch.ones(2)}, {}, (), "this run").save(tmp_path)
    assert updates_done(tmp_path) == 7
    (tmp_path / FILE).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="is damaged .* Delete it to start this run again"):
        updates_done(tmp_path)
