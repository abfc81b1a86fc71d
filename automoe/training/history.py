"""This module writes the history of a run: its losses, its validations, the weights they keep."""

from collections.abc import Sequence

from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer
from automoe.training.checkpoint import Record
from automoe.training.divergence import FiniteChecks
from automoe.training.kept_weights import FinalWeights, KeptWeights
from automoe.training.tracking import Tracking
from automoe.training.validation import FULL_SHAPE, Validation, is_stalled


class History:
    """The history of a run.

    Args:
        model: The model of the run, without the wrapper of several processes.
        settings: The settings of the run.
        validation: The subnets that are validated.
        kept: The weights of the best or the last validations.
        tracking: The trackers.
        finite: The checks of losses and weights.

    Attributes:
        records: The records so far.
        is_stalled: Whether the validations have not improved for as long as the settings wait.
        note: The last validation, for a person; empty before the first one.
    """

    def __init__(
        self,
        model: Transformer,
        settings: TrainingSettings,
        *,
        validation: Validation,
        kept: KeptWeights,
        tracking: Tracking,
        finite: FiniteChecks,
    ) -> None:
        self._model = model
        self._settings = settings
        self._validation = validation
        self._kept = kept
        self._tracking = tracking
        self._finite = finite
        self.records: list[Record] = []
        self.is_stalled = False
        self.note = ""

    def resume(self, records: Sequence[Record]) -> None:
        """Go on from the records of a checkpoint. Weights that were kept after it are deleted."""
        self.records = list(records)
        self.is_stalled = is_stalled(self.records, patience=self._settings.patience)
        self.forget()

    def forget(self) -> None:
        """Delete the weights that a run that resumes from here no longer needs."""
        self._kept.forget(self.records)

    def add(self, done: int, losses: Sequence[float], rate: float, *, is_validated: bool) -> None:
        """Add a record. The weights of a validation may be kept.

        Args:
            done: The number of updates done.
            losses: The losses of the updates since the last record.
            rate: The learning rate of the last update.
            is_validated: Whether a validation is due.

        Raises:
            DivergedError: A validation loss is not finite, or a weight.
        """
        valid = self._validate(done) if is_validated else {}
        record = Record(done, sum(losses) / len(losses), valid.pop(FULL_SHAPE, None), valid)
        self.records.append(record)
        if record.valid_loss is not None:
            self.note = f", validation loss {record.valid_loss:.4f}"
            self.is_stalled = is_stalled(self.records, patience=self._settings.patience)
            self._kept.keep(self.records, self._model.state_dict())
        self._tracking.send(record, rate)

    def _validate(self, done: int) -> dict[str, float]:
        losses = self._validation.losses(self._model, on_output=self._tracking.watch)
        for name, loss in losses.items():
            of_subnet = "" if name == FULL_SHAPE else f" of the subnet '{name}'"
            self._finite.require(loss, f"the validation loss{of_subnet}", done)
        self._finite.require_weights(self._model, done)
        return losses

    def final(self) -> FinalWeights:
        """Give the model its final weights, and return which they are.

        Every process must have done all its updates.

        Raises:
            CheckpointError: A file of kept weights is damaged.
        """
        chosen = self._kept.chosen(self.records)
        records = chosen or (self.records[-1],)
        if chosen:
            self._model.load_state_dict(self._kept.mean(chosen))
        loss, of_subnets = records[0].valid_loss, records[0].subnet_losses
        if loss is None or len(records) > 1:
            of_subnets = self._validation.losses(self._model)
            loss = of_subnets.pop(FULL_SHAPE)
        return FinalWeights(
            updates=tuple(record.update for record in records),
            rule=self._settings.final_weights if chosen else "last",
            n_validations=sum(record.valid_loss is not None for record in self.records),
            valid_loss=loss,
            subnet_losses=of_subnets,
        )
