"""This module keeps a training run on disk, in one safetensors file."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from devices.files import replacing
from devices.yaml_json import parse_json

FILE = "checkpoint.safetensors"
_MODEL, _OPTIMISER = "model.", "optimiser."


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that another run wrote."""


@dataclass(frozen=True, slots=True)
class Record:
    """One point of a run's history.

    Attributes:
        update: The number of updates done.
        train_loss: The mean loss since the last record, in nats per token, with label smoothing
            and the routers' losses.
        valid_loss: The validation loss of the full shape in nats per token, or None when it was
            not computed.
        subnet_losses: The validation losses of the other validated subnets, by name. A model that
            stands alone has none.
    """

    update: int
    train_loss: float
    valid_loss: float | None
    subnet_losses: dict[str, float] = field(default_factory=dict)

    @property
    def mean_loss(self) -> float | None:
        """The mean validation loss of the full shape and the validated subnets, or None."""
        if self.valid_loss is None:
            return None
        return fmean([self.valid_loss, *self.subnet_losses.values()])

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types, as 0.1.0 wrote it when no subnet was validated."""
        content = asdict(self)
        if not self.subnet_losses:
            del content["subnet_losses"]
        return content


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after ``update`` updates.

    Attributes:
        update: The number of updates done.
        model: The weights by name.
        optimiser: The optimiser's state; a key is a parameter's name, a dot and a state's name.
        history: The records so far.
        digest: The digest of settings and data. A run resumes only from its own checkpoint.
        n_processes: The number of processes that train together; None in a file of 0.1.0.
        scaler: The state of the gradient scaler of fp16; empty in the other precisions.
        settings: The settings that a resumed run must share, as JSON types; empty in a file of
            0.1.0.
        losses: The losses of the updates since the last record. A run has some when it was
            interrupted.
    """

    update: int
    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    history: tuple[Record, ...]
    digest: str
    n_processes: int | None = None
    scaler: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    losses: tuple[float, ...] = ()

    def save(self, folder: Path) -> None:
        """Write the checkpoint; it replaces the previous one completely or not at all."""
        tensors = {f"{_MODEL}{name}": value for name, value in self.model.items()}
        tensors |= {f"{_OPTIMISER}{name}": value for name, value in self.optimiser.items()}
        metadata = {
            "update": str(self.update),
            "fingerprint": self.digest,
            "history": json.dumps([record.to_dict() for record in self.history]),
            "n_processes": json.dumps(self.n_processes),
            "scaler": json.dumps(self.scaler),
            "settings": json.dumps(self.settings),
            "losses": json.dumps(self.losses),
        }
        with replacing(folder / FILE) as complete:
            save_file({k: v.contiguous() for k, v in tensors.items()}, complete, metadata)

    @classmethod
    def load(
        cls, folder: Path, *, digest: str, settings: Mapping[str, Any] | None = None
    ) -> "Checkpoint | None":
        """Return the checkpoint in ``folder``, or None when there is none.

        Args:
            folder: The folder of the run.
            digest: The digest of this run.
            settings: The settings of this run, with which an error names one that differs.

        Raises:
            CheckpointError: The checkpoint is damaged, or another run wrote it.
        """
        path = folder / FILE
        if not path.exists():
            return None
        with _reading(path) as file:
            metadata: dict[str, Any] = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            history = tuple(
                Record(**record) for record in parse_json(metadata["history"], allow_nan=True)
            )
            update, written_by = int(metadata["update"]), metadata["fingerprint"]
            n_processes = parse_json(metadata.get("n_processes", "null"))
            scaler = parse_json(metadata.get("scaler", "{}"))
            before = parse_json(metadata.get("settings", "{}"))
            losses = tuple(parse_json(metadata.get("losses", "[]")))
        if written_by != digest:
            raise CheckpointError(
                f"'{path}' was written by a run with other settings, space or text"
                f"{_difference(before, settings or {})}. "
                "Choose another folder, or delete this one to start again."
            )
        return cls(
            update=update,
            model=_under(_MODEL, tensors),
            optimiser=_under(_OPTIMISER, tensors),
            history=history,
            digest=written_by,
            n_processes=n_processes,
            scaler=scaler,
            settings=before,
            losses=losses,
        )


def updates_done(folder: Path) -> int:
    """Return the number of updates done in ``folder``, 0 without a checkpoint. It reads no weight.

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
    """Open a checkpoint's file. Every error of a damaged file becomes a CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"'{path}' is damaged ({error}). Delete it to start this run again."
        ) from None


def optimiser_state(optimiser: torch.optim.Optimizer, names: dict[int, str]) -> dict[str, Tensor]:
    """Return Adam's moments and step counts by parameter name; ``names`` maps ``id(parameter)``."""
    return {
        f"{names[id(parameter)]}.{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, state: dict[str, Tensor], names: dict[int, str]
) -> None:
    """Restore the result of ``optimiser_state``. A parameter that had no gradient has no state.

    All of the state is put on the device of the parameter, as the fused Adam needs it.
    """
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            prefix = f"{names[id(parameter)]}."
            if own := _under(prefix, state):
                optimiser.state[parameter] = {
                    key: value.to(parameter.device) for key, value in own.items()
                }


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in brackets the first setting that differs, or nothing."""
    differing = (x for x in now if x in before and before[x] != now[x])
    return next((f" ('{x}' was {before[x]} and is {now[x]})" for x in differing), "")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
