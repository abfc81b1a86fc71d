"""A training run on disk: weights, optimiser and history in one safetensors file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from devices.files import replacing

FILE = "checkpoint.safetensors"
_MODEL, _OPTIMISER = "model.", "optimiser."


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that another run wrote."""


@dataclass(frozen=True, slots=True)
class Record:
    """One point of a run's history.

    Attributes:
        update: Updates done.
        train_loss: Mean since the last record, per token in nats, smoothing and routers included.
        valid_loss: Of the full shape, per token in nats; None where it was not computed.
    """

    update: int
    train_loss: float
    valid_loss: float | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after ``update`` updates.

    Attributes:
        update: Updates done.
        model: Weights by name.
        optimiser: State by ``<parameter name>.<what>``.
        history: What was recorded so far.
        fingerprint: Identifies settings and data; a run resumes only from its own.
    """

    update: int
    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    history: tuple[Record, ...]
    fingerprint: str

    def save(self, folder: Path) -> None:
        """Write the checkpoint, replacing the previous one at once or not at all."""
        tensors = {f"{_MODEL}{name}": value for name, value in self.model.items()}
        tensors |= {f"{_OPTIMISER}{name}": value for name, value in self.optimiser.items()}
        metadata = {
            "update": str(self.update),
            "fingerprint": self.fingerprint,
            "history": json.dumps([asdict(record) for record in self.history]),
        }
        with replacing(folder / FILE) as complete:
            save_file({k: v.contiguous() for k, v in tensors.items()}, complete, metadata)

    @classmethod
    def load(cls, folder: Path, *, fingerprint: str) -> "Checkpoint | None":
        """The checkpoint in ``folder``; None when there is none.

        Raises:
            CheckpointError: It is damaged, or another run wrote it.
        """
        path = folder / FILE
        if not path.exists():
            return None
        with _reading(path) as file:
            metadata: dict[str, Any] = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            history = tuple(Record(**record) for record in json.loads(metadata["history"]))
            update, written_by = int(metadata["update"]), metadata["fingerprint"]
        if written_by != fingerprint:
            raise CheckpointError(
                f"'{path}' was written by a run with other settings, space or text. "
                "Choose another folder, or delete this one to start again."
            )
        return cls(
            update, _under(_MODEL, tensors), _under(_OPTIMISER, tensors), history, written_by
        )


def updates_done(folder: Path) -> int:
    """Return how far the run in ``folder`` is; 0 without a checkpoint. No weight is read.

    Raises:
        CheckpointError: The checkpoint is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return 0
    with _reading(path) as file:
        return int(file.metadata()["update"])


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a checkpoint's file; whatever shows that it is damaged becomes a CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"'{path}' is damaged ({error}). Delete it to start this run again."
        ) from None


def optimiser_state(optimiser: torch.optim.Optimizer, names: dict[int, str]) -> dict[str, Tensor]:
    """Adam's moments and step counts by parameter name; ``names`` maps ``id(parameter)``."""
    return {
        f"{names[id(parameter)]}.{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, state: dict[str, Tensor], names: dict[int, str]
) -> None:
    """Undo ``optimiser_state``; parameters that never had a gradient stay without a state."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            prefix = f"{names[id(parameter)]}."
            if own := _under(prefix, state):
                optimiser.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in own.items()
                }


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
