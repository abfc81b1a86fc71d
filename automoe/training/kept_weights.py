"""This module keeps the weights of validations, and chooses those that go on into the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from automoe.settings.training import TrainingSettings
from automoe.training.checkpoint import CheckpointError, Record
from devices.files import replacing

FOLDER = "weights"


@dataclass(frozen=True, slots=True)
class FinalWeights:
    """The weights that go on into the model.

    Attributes:
        updates: The numbers of updates after which these weights were kept. The weights of several
            are averaged.
        rule: The setting ``final_weights``.
        n_validations: The number of the run's validations.
        valid_loss: The validation loss of the full shape in nats per token.
        subnet_losses: The validation losses of the other validated subnets, by name.
    """

    updates: tuple[int, ...]
    rule: str
    n_validations: int
    valid_loss: float
    subnet_losses: dict[str, float]

    def __str__(self) -> str:
        """Return one line that says which weights these are."""
        listed = ", ".join(map(str, self.updates))
        if len(self.updates) > 1:
            return f"the mean of the {self.rule} validated updates {listed}"
        plural = "" if self.n_validations == 1 else "s"
        by_loss = f" by the loss of {self.n_validations} validation{plural}"
        return f"those of update {listed}, the {self.rule}" + (
            by_loss if self.rule == "best" else ""
        )


class KeptWeights:
    """The weights of the validations of a run that may go on, one file for each.

    The best validation's weights are always kept. A file is deleted only when a checkpoint is
    written that does not need it: a run that resumes there finds all earlier weights that it may
    choose.

    Args:
        folder: The folder of the run. The files are in a folder of it.
        settings: The settings of the run.
        writes: Whether this process is the one that writes and deletes files.
    """

    def __init__(self, folder: Path, settings: TrainingSettings, *, writes: bool = True) -> None:
        self._folder = folder / FOLDER
        self._settings = settings
        self._writes = writes

    def wanted(self, history: Sequence[Record]) -> tuple[Record, ...]:
        """Return the validations whose weights are kept, in the order of the updates.

        The last record counts, and earlier ones whose weights are there: a run of 0.1.0 kept none.
        """
        validated = [
            record
            for record in history
            if record.valid_loss is not None
            and (record is history[-1] or self._path(record).exists())
        ]
        ranked = sorted(validated, key=_loss)
        n, is_best = self._settings.average, self._settings.final_weights == "best"
        # The checkpoint has the weights of the last update, so they are kept to be averaged only.
        n_best, n_last = (n, 0) if is_best else (1, n if n > 1 else 0)
        updates = {record.update for record in ranked[:n_best]}
        updates |= {record.update for record in validated[max(len(validated) - n_last, 0) :]}
        return tuple(record for record in validated if record.update in updates)

    def keep(self, history: Sequence[Record], weights: dict[str, Tensor]) -> None:
        """Write the weights of the last record, a validation, when they may go on."""
        record = history[-1]
        if not self._writes or record not in self.wanted(history):
            return
        self._folder.mkdir(exist_ok=True)
        with replacing(self._path(record)) as complete:
            save_file({name: value.contiguous() for name, value in weights.items()}, complete)

    def forget(self, history: Sequence[Record]) -> None:
        """Delete the weights that a run with this history no longer needs."""
        if not self._writes:
            return
        needed = {self._path(record) for record in self.wanted(history)}
        for path in self._folder.glob("*.safetensors"):
            if path not in needed:
                path.unlink()

    def chosen(self, history: Sequence[Record]) -> tuple[Record, ...]:
        """Return the validations whose weights go on, or none when the last update's do."""
        rule, n = self._settings.final_weights, self._settings.average
        if rule == "last" and n == 1:
            return ()
        kept = [record for record in self.wanted(history) if self._path(record).exists()]
        if rule == "last":
            return tuple(kept[-n:])
        best = sorted(kept, key=_loss)[:n]
        return tuple(sorted(best, key=lambda record: record.update))

    def mean(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Return the mean of the weights of some validations, computed in float64.

        Raises:
            CheckpointError: A file is damaged.
        """
        if len(records) == 1:
            return self._read(records[0])
        total: dict[str, Tensor] = {}
        for record in records:
            for name, weight in self._read(record).items():
                total[name] = weight.double() + total.get(name, 0.0)
        return {name: (weight / len(records)).float() for name, weight in total.items()}

    def _read(self, record: Record) -> dict[str, Tensor]:
        path = self._path(record)
        try:
            return dict(load_file(path))
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"'{path}' is damaged ({error}). Delete it to go on with other weights."
            ) from None

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.update}.safetensors"


def _loss(record: Record) -> float:
    return inf if record.mean_loss is None else record.mean_loss
