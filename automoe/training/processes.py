"""This module tells which processes train together, and adds up over them."""

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import parse_flag_from_env

from automoe.settings.training import SettingsError, TrainingSettings


def processes() -> PartialState:
    """Return the processes that train together: those of a launcher, or this one alone.

    The first ``PartialState`` of a process decides for all later ones. It does not read the
    variable with which launchers ask for processes on the CPU, so it is read here.
    """
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


def require_precision(settings: TrainingSettings) -> None:
    """Check that this machine computes in the precision of the settings.

    Raises:
        SettingsError: The precision is fp16 and there is no GPU. Accelerate would say nothing and
            compute in float32.
    """
    if settings.precision == "fp16" and processes().device.type == "cpu":
        raise SettingsError(
            "'precision' may be fp16 on a GPU only, and PyTorch sees none here. Got 'fp16'; choose "
            "'bf16' or 'no'."
        )


def over_processes(accelerator: Accelerator, value: float) -> float:
    """Return the sum of every process's value; all of them must call it."""
    if accelerator.num_processes == 1:
        return value
    own = torch.tensor(value, dtype=torch.float64, device=accelerator.device)
    return float(accelerator.reduce(own, reduction="sum"))
