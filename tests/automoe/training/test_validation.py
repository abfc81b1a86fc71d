from random import Random

import pytest
from accelerate import Accelerator

from automoe.architecture.space import SearchSpace
from automoe.supernet import Output, Transformer, TransformerConfig
from automoe.training import Record, TrainingData, TrainingSettings, validation_loss
from automoe.training.validation import FULL_SHAPE, Validation, is_stalled


def test_every_subnet_has_the_loss_that_it_has_alone(
    space: SearchSpace, data: TrainingData, settings: TrainingSettings
) -> None:
    model = Transformer(TransformerConfig.for_space(space), seed=3)
    subnets = {"smallest": space.smallest(), "random 1": space.sample(Random(1))}
    validation = Validation(data, settings, Accelerator(), subnets=subnets)
    seen: list[Output] = []
    losses = validation.losses(model, on_output=seen.append)
    batches = data.validation_batches(120)
    assert losses == pytest.approx(
        {
            FULL_SHAPE: validation_loss(model, batches),
            **{name: validation_loss(model, batches, subnet) for name, subnet in subnets.items()},
        }
    )
    assert list(losses) == [FULL_SHAPE, "smallest", "random 1"]
    assert len(seen) == len(batches)  # of the full shape alone
    assert model.training


def history(*losses: float | None) -> list[Record]:
    return [Record(n, 9.0, loss) for n, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "patience", "stalled"),
    [
        ((), 1, False),
        ((None, None), 1, False),
        ((3.0,), 1, False),
        ((3.0, 2.0), 1, False),
        ((3.0, 2.0, None, 2.0), 1, True),  # not smaller
        ((3.0, 2.0, 2.5), 2, False),
        ((3.0, 2.0, 2.5, 2.1), 2, True),
        ((3.0, 2.0, 2.5, 1.9), 2, False),
        ((3.0, 4.0, 5.0, 6.0), 0, False),
    ],
)
def test_a_run_stalls_when_validations_bring_no_smaller_loss(
    losses: tuple[float | None, ...], patience: int, stalled: bool
) -> None:
    assert is_stalled(history(*losses), patience=patience) is stalled
