"""This module stops a run whose losses or weights are no longer finite numbers."""

import math
from pathlib import Path

import torch
from torch import nn

from automoe.settings.training import TrainingSettings


class DivergedError(ValueError):
    """The losses or weights of a run are no longer finite numbers."""


class FiniteChecks:
    """The checks that the losses and weights of a run are finite.

    Args:
        settings: The settings of the run.
        folder: The folder of its checkpoint.

    Attributes:
        saved: The update of the last checkpoint, or 0.
    """

    def __init__(self, settings: TrainingSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self.saved = 0

    def require(self, value: float, what: str, update: int) -> None:
        """Check a loss.

        Raises:
            DivergedError: It is not finite.
        """
        if not math.isfinite(value):
            raise self.error(f"{what} is {value}", update)

    def require_weights(self, model: nn.Module, update: int) -> None:
        """Check every weight of a model.

        Raises:
            DivergedError: A weight is not finite.
        """
        for name, weight in model.named_parameters():
            if not bool(torch.isfinite(weight).all()):
                raise self.error(f"the weight '{name}' is not finite", update)

    def error(self, reason: str, update: int) -> DivergedError:
        """Return the error that names the reason, the last good checkpoint and what to try."""
        settings = self._settings
        kept = f"update {self.saved} in '{self._folder}'" if self.saved else "none"
        clip = "a smaller" if settings.clip_norm else "a"
        precision = ", or another --precision" if settings.precision == "fp16" else ""
        return DivergedError(
            f"Training diverged at update {update}: {reason}. The last good checkpoint: {kept}. "
            f"Train into another folder with a --learning-rate below {settings.learning_rate:g}, "
            f"--warmup-updates above {settings.warmup_updates}, {clip} --clip-norm{precision}."
        )
