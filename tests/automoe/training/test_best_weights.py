"""Which weights a run keeps, when it stops, and that a resumed run does the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig
from automoe.training import TrainingData, TrainingResult, TrainingSettings, train, uniform
from automoe.training.history import History
from automoe.training.validation import FULL_SHAPE

Weights = Mapping[str, Tensor]
LOSSES = {2: 3.0, 4: 2.0, 6: 2.5, 8: 2.4, 10: 2.3, 12: 1.0}


class Stopped(Exception):  # noqa: N818  stands for a kill
    pass


@pytest.fixture(autouse=True)
def _losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation losses that fall and rise."""
    monkeypatch.setattr(History, "_validate", lambda self, done: {FULL_SHAPE: LOSSES[done]})


@pytest.fixture
def given(settings: TrainingSettings) -> dict[str, Any]:
    return {**settings.model_dump(), "validate_every": 2, "save_every": 3, "updates": 10}


class Run:
    """A run in a folder, and the weights that it had after each update."""

    def __init__(
        self, folder: Path, space: SearchSpace, data: TrainingData, given: dict[str, Any]
    ) -> None:
        self.folder, self.space, self.data = folder, space, data
        self.settings = TrainingSettings.of(**given)
        self.weights: dict[int, Weights] = {}
        self.told: list[tuple[int, int, str]] = []

    def go(self, *, stop: int = 0) -> tuple[TrainingResult, Weights]:
        model = Transformer(TransformerConfig.for_space(self.space, dropout=0.1))

        def watch(done: int, total: int, note: str = "") -> None:
            self.told.append((done, total, note))
            self.weights[done] = {k: v.clone() for k, v in model.state_dict().items()}
            if done == stop:
                raise Stopped

        subnets = uniform(self.space, 0)
        result = train(
            model,
            self.data,
            self.settings,
            folder=self.folder,
            subnets=subnets,
            on_progress=watch,
        )
        return result, model.state_dict()


def same(left: Weights, right: Weights) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def mean(*all_weights: Weights) -> Weights:
    return {
        name: (sum(weights[name].double() for weights in all_weights) / len(all_weights)).float()
        for name in all_weights[0]
    }


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "weights").iterdir())


def test_the_weights_of_the_best_validation_go_on(
    space: SearchSpace, data: TrainingData, given: dict[str, Any], tmp_path: Path
) -> None:
    run = Run(tmp_path, space, data, given)
    result, final = run.go()
    assert same(final, run.weights[4])
    assert not same(final, run.weights[10])
    assert (result.final.updates, result.final.rule) == ((4,), "best")
    assert (result.final.valid_loss, result.final.n_validations) == (2.0, 5)
    # The last checkpoint is beside it.
    checkpoint = load_file(tmp_path / "checkpoint.safetensors")
    last = {k.removeprefix("model."): v for k, v in checkpoint.items() if k.startswith("model.")}
    assert same(last, run.weights[10])
    assert kept(tmp_path) == ["4.safetensors"]
    assert "validation loss 2.0000" in run.told[3][2]


@pytest.mark.parametrize(
    ("changes", "averaged"),
    [
        ({"final_weights": "last"}, (10,)),
        ({"average": 3}, (4, 8, 10)),
        ({"final_weights": "last", "average": 2}, (8, 10)),
    ],
)
def test_the_last_weights_or_a_mean_go_on_when_that_is_asked(
    changes: dict[str, Any],
    averaged: tuple[int, ...],
    space: SearchSpace,
    data: TrainingData,
    given: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Run(tmp_path, space, data, given | changes)
    result, final = run.go()
    assert result.final.updates == averaged
    assert same(final, mean(*(run.weights[update] for update in averaged)))
    assert "4.safetensors" in kept(tmp_path)
    again, final_again = Run(tmp_path, space, data, given | changes).go()
    assert again.final == result.final
    assert same(final, final_again)


def test_the_loss_of_averaged_weights_is_their_own(
    space: SearchSpace,
    data: TrainingData,
    given: dict[str, Any],
    tmp_path: Path,
) -> None:
    from automoe.training import validation_loss

    run = Run(tmp_path, space, data, given | {"average": 3})
    result, final = run.go()
    model = Transformer(TransformerConfig.for_space(space))
    model.load_state_dict(dict(final))
    expected = validation_loss(model, data.validation_batches(120))
    assert result.final.valid_loss == pytest.approx(expected)


def test_a_run_stops_when_nothing_improves(
    space: SearchSpace, data: TrainingData, given: dict[str, Any], tmp_path: Path
) -> None:
    run = Run(tmp_path, space, data, given | {"patience": 2, "updates": 12})
    result, final = run.go()
    assert result.history[-1].update == 8  # of the updates 6 and 8 none is better than 4
    assert result.final.updates == (4,)
    assert same(final, run.weights[4])
    assert run.told[-1] == (12, 12, "no smaller loss: stopped at update 8")
    again, final_again = Run(tmp_path, space, data, given | {"patience": 2, "updates": 12}).go()
    assert again.resumed_at == 8
    assert again.history == result.history
    assert same(final, final_again)


def test_a_run_that_improves_in_time_does_not_stop(
    space: SearchSpace, data: TrainingData, given: dict[str, Any], tmp_path: Path
) -> None:
    result, _ = Run(tmp_path, space, data, given | {"patience": 4, "updates": 12}).go()
    assert result.history[-1].update == 12
    assert result.final.updates == (12,)


@pytest.mark.parametrize("stop", [5, 7, 9])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"average": 2},
        {"final_weights": "last", "average": 3},
        {"patience": 3, "updates": 12},
    ],
)
def test_a_resumed_run_ends_with_the_weights_of_one_that_was_not(
    changes: dict[str, Any],
    stop: int,
    space: SearchSpace,
    data: TrainingData,
    given: dict[str, Any],
    tmp_path: Path,
) -> None:
    whole, expected = Run(tmp_path / "whole", space, data, given | changes).go()
    with pytest.raises(Stopped):
        Run(tmp_path / "cut", space, data, given | changes).go(stop=stop)
    resumed, weights = Run(tmp_path / "cut", space, data, given | changes).go()
    assert resumed.resumed_at in (3, 6)
    assert resumed.history == whole.history
    assert resumed.final == whole.final
    assert same(expected, weights)
    assert kept(tmp_path / "cut") == kept(tmp_path / "whole")
