from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from automoe.training import CheckpointError, Record, TrainingSettings
from automoe.training.kept_weights import FinalWeights, KeptWeights


def records(*losses: float | None) -> list[Record]:
    """One record for each loss, at the updates 10, 20 and so on; None is no validation."""
    return [Record(10 * n, 9.0, loss) for n, loss in enumerate(losses, start=1)]


def kept_after(folder: Path, history: list[Record], **given: Any) -> KeptWeights:
    """The weights that a run with this history keeps; those of update 10 n are n everywhere."""
    kept = KeptWeights(folder, TrainingSettings.of(**given))
    for n in range(1, len(history) + 1):
        if history[n - 1].valid_loss is not None:
            kept.keep(history[:n], {"w": torch.full((2, 3), float(n))})
    kept.forget(history)
    return kept


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "weights").iterdir())


HISTORY = records(5.0, None, 3.0, 4.0, 3.5, 3.0)


@pytest.mark.parametrize(
    ("given", "chosen", "on_disk"),
    [
        ({}, (30,), ["30.safetensors"]),  # of equal losses the first
        ({"average": 2}, (30, 60), ["30.safetensors", "60.safetensors"]),
        ({"final_weights": "last"}, (), ["30.safetensors"]),
        (
            {"final_weights": "last", "average": 2},
            (50, 60),
            ["30.safetensors", "50.safetensors", "60.safetensors"],
        ),
        (
            {"average": 9},  # there are fewer validations
            (10, 30, 40, 50, 60),
            [f"{n}0.safetensors" for n in (1, 3, 4, 5, 6)],
        ),
    ],
)
def test_the_best_or_the_last_validations_go_on(
    given: dict[str, Any], chosen: tuple[int, ...], on_disk: list[str], tmp_path: Path
) -> None:
    kept = kept_after(tmp_path, HISTORY, **given)
    assert tuple(record.update for record in kept.chosen(HISTORY)) == chosen
    assert files(tmp_path) == on_disk


def test_the_loss_is_the_mean_over_the_validated_subnets(tmp_path: Path) -> None:
    history = [
        Record(10, 9.0, 1.0, {"smallest": 6.0, "random 1": 5.0}),  # 4
        Record(20, 9.0, 2.0, {"smallest": 4.0, "random 1": 3.0}),  # 3
        Record(30, 9.0, 1.5, {"smallest": 5.0, "random 1": 4.0}),  # 3.5
    ]
    assert [record.mean_loss for record in history] == [4.0, 3.0, 3.5]
    assert Record(10, 9.0, None).mean_loss is None
    kept = kept_after(tmp_path, history)
    assert [record.update for record in kept.chosen(history)] == [20]


def test_weights_are_averaged_one_by_one(tmp_path: Path) -> None:
    kept = kept_after(tmp_path, HISTORY, final_weights="last", average=3)
    mean = kept.mean(kept.chosen(HISTORY))
    assert torch.equal(mean["w"], torch.full((2, 3), (4 + 5 + 6) / 3))
    assert mean["w"].dtype == torch.float32
    assert torch.equal(
        load_file(tmp_path / "weights" / "60.safetensors")["w"], torch.full((2, 3), 6.0)
    )


def test_a_checkpoint_finds_what_was_best_before_it(tmp_path: Path) -> None:
    history = records(3.0, 2.0, 1.0)
    kept = kept_after(tmp_path, history[:2])
    kept.keep(history, {"w": torch.zeros(1)})  # then the run is killed before a checkpoint
    assert files(tmp_path) == ["20.safetensors", "30.safetensors"]
    kept.forget(history[:2])  # it resumes
    assert files(tmp_path) == ["20.safetensors"]
    assert [record.update for record in kept.chosen(history[:2])] == [20]


def test_a_run_of_0_1_0_goes_on_with_its_last_weights(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path, TrainingSettings())
    history = records(3.0, 2.0, 2.5)
    assert kept.chosen(history) == ()
    kept.keep(history, {"w": torch.zeros(1)})  # resumed: the first weights that are kept
    assert [record.update for record in kept.chosen(history)] == [30]


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path, TrainingSettings(), writes=False)
    kept.keep(HISTORY, {"w": torch.zeros(1)})
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    kept = kept_after(tmp_path, HISTORY)
    (tmp_path / "weights" / "30.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="30.safetensors' is damaged .* Delete it to go on"):
        kept.mean(kept.chosen(HISTORY))


@pytest.mark.parametrize(
    ("updates", "rule", "text"),
    [
        ((400,), "best", "those of update 400, the best by the loss of 6 validations"),
        ((600,), "last", "those of update 600, the last"),
        ((400, 600), "best", "the mean of the best validated updates 400, 600"),
    ],
)
def test_which_weights_go_on_is_said(updates: tuple[int, ...], rule: str, text: str) -> None:
    assert str(FinalWeights(updates, rule, 6, 2.0, {})) == text
