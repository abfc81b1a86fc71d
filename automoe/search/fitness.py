"""How good an architecture is: the validation loss of its slice of the supernet."""

from collections.abc import Callable, Sequence

from automoe.architecture import Architecture
from automoe.supernet import Transformer
from automoe.text import Batch
from automoe.training import validation_loss

Fitness = Callable[[Architecture], float]


class ValidationFitness:
    """Cross-entropy per target token in nats, with the supernet's weights.

    Args:
        supernet: The trained supernet.
        batches: The validation text.
    """

    def __init__(self, supernet: Transformer, batches: Sequence[Batch]) -> None:
        self._supernet = supernet.eval()
        self._batches = batches

    def __call__(self, architecture: Architecture) -> float:
        """The loss of one subnet."""
        return validation_loss(self._supernet, self._batches, architecture)
