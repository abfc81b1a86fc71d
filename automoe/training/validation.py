"""This module computes the validation losses of a run and tells when they stop to improve."""

from collections.abc import Callable, Mapping, Sequence

from accelerate import Accelerator

from automoe.architecture.architecture import Architecture
from automoe.settings.training import TrainingSettings
from automoe.supernet import Output, Transformer
from automoe.training.checkpoint import Record
from automoe.training.data import TrainingData
from automoe.training.loss import ignored, summed_loss
from automoe.training.processes import over_processes

FULL_SHAPE = "full shape"


class Validation:
    """The valid split, on which a run evaluates the full shape and some subnets.

    Every process evaluates its share of the batches, and all get the same losses.

    Args:
        data: The data of the run.
        settings: The settings of the run.
        accelerator: The processes that train together.
        subnets: The subnets to evaluate beside the full shape, by name.
    """

    def __init__(
        self,
        data: TrainingData,
        settings: TrainingSettings,
        accelerator: Accelerator,
        *,
        subnets: Mapping[str, Architecture],
    ) -> None:
        self._data = data
        self._max_tokens = max(settings.max_tokens, settings.max_sentence)
        self._accelerator = accelerator
        self._subnets: dict[str, Architecture | None] = {FULL_SHAPE: None, **subnets}

    def losses(
        self, model: Transformer, *, on_output: Callable[[Output], None] = ignored
    ) -> dict[str, float]:
        """Return the loss of each subnet in nats per target token, the full shape's first.

        Args:
            model: The model of the run, on the device of this process.
            on_output: A function that is called with the full shape's output of each batch.
        """
        every = self._data.validation_batches(self._max_tokens)
        accelerator = self._accelerator
        own = every[accelerator.process_index :: accelerator.num_processes]
        batches = [batch.to(accelerator.device) for batch in own]
        n_tokens = sum(batch.n_tokens for batch in every)
        return {
            name: over_processes(
                accelerator,
                summed_loss(
                    model, batches, subnet, on_output=ignored if name != FULL_SHAPE else on_output
                ),
            )
            / n_tokens
            for name, subnet in self._subnets.items()
        }


def is_stalled(history: Sequence[Record], *, patience: int) -> bool:
    """Return whether the last ``patience`` validations brought no smaller mean loss; 0 is never."""
    losses = [record.mean_loss for record in history if record.mean_loss is not None]
    if not patience or not losses:
        return False
    since_best = len(losses) - 1 - losses.index(min(losses))
    return since_best >= patience
