"""This module sends the figures of a run to trackers such as TensorBoard, through Accelerate."""

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import fmean

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker, get_available_trackers
from accelerate.utils import LoggerType

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import cost
from automoe.settings.training import SettingsError
from automoe.supernet import Output
from automoe.training.checkpoint import Record
from automoe.training.router_use import RouterUse
from automoe.training.subnets import SubnetsOfUpdate
from automoe.training.validation import FULL_SHAPE

FOLDER = "tracking"
_SIZES = ("small", "medium", "large")
_SIZED = 99  # the subnets whose thirds are the three sizes


def require_trackers(names: Iterable[str]) -> None:
    """Check that trackers can be used here.

    Raises:
        SettingsError: A tracker is unknown or not installed.
    """
    installed = sorted(map(str, get_available_trackers()))
    known = sorted({str(name) for name in LoggerType} - {"all"})
    for name in names:
        if name not in known:
            raise SettingsError(f"'track' must be one of {', '.join(known)}. Got '{name}'.")
        if name not in installed:
            remedy = name.replace("_", "-")
            raise SettingsError(
                f"The tracker '{name}' is not installed. Install it with 'pip install {remedy}', "
                f"or leave out 'track'. Installed here: {', '.join(installed) or 'none'}."
            )


@dataclass(frozen=True, slots=True)
class Update:
    """What one update was like.

    Attributes:
        loss: The loss in nats per token, of the subnet that learned from the text.
        n_tokens: The number of target tokens, over all processes.
        gradient_norm: The norm of the gradient before it was clipped; None without clipping.
    """

    loss: float
    n_tokens: float
    gradient_norm: float | None


@dataclass
class _Since:
    """What happened since the last record."""

    n_tokens: float = 0.0
    seconds: float = 0.0
    norms: list[float] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)


class Tracking:
    """The figures of a run, for its trackers. Without a tracker nothing is computed.

    Args:
        accelerator: The accelerator of the run, which was made with the names of the trackers.
        shape: The full shape of the model.
        subnets: The subnets of each update. The sizes small, medium and large are the thirds of
            the FLOPs of those of the first 99 updates.
    """

    def __init__(
        self, accelerator: Accelerator, *, shape: Architecture, subnets: SubnetsOfUpdate
    ) -> None:
        self._accelerator = accelerator
        self._subnets = subnets
        self._shape = shape
        self._is_on = bool(accelerator.log_with)
        self._since = _Since()
        flops = sorted(_flops(subnets, update) for update in range(_SIZED)) if self._is_on else []
        self._limits = [flops[_SIZED // 3], flops[2 * _SIZED // 3]] if flops else []
        self._routers = RouterUse(shape)

    def start(self, folder: Path, update: int) -> None:
        """Open the trackers, whose project has the name of the folder.

        TensorBoard hides what an earlier process told after ``update``. Weights & Biases keeps its
        files in ``folder`` too.
        """
        if self._is_on:
            own = folder / FOLDER
            own.mkdir(exist_ok=True)
            options = {"tensorboard": {"purge_step": update + 1}, "wandb": {"dir": str(own)}}
            with redirect_stdout(sys.stderr):  # some trackers greet, and stdout is for data
                self._accelerator.init_trackers(folder.resolve().name, init_kwargs=options)

    def add(self, update: int, made: Update, seconds: float) -> None:
        """Add one update, which is counted from 0, and its duration."""
        if not self._is_on:
            return
        self._since.n_tokens += made.n_tokens
        self._since.seconds += seconds
        if made.gradient_norm is not None:
            self._since.norms.append(made.gradient_norm)
        if self._limits[0] > 0:
            flops = _flops(self._subnets, update)
            size = _SIZES[sum(flops >= limit for limit in self._limits)]
            self._since.losses.setdefault(size, []).append(made.loss)

    def watch(self, output: Output) -> None:
        """Add the routers' decisions in one batch of the valid split, by the full shape."""
        if self._is_on:
            self._routers.add(output)

    def send(self, record: Record, learning_rate: float) -> None:
        """Send the figures since the last record."""
        if not self._is_on:
            return
        since, self._since = self._since, _Since()
        figures = {"train/loss": record.train_loss, "train/learning_rate": learning_rate}
        if since.seconds:
            figures["train/tokens_per_second"] = since.n_tokens / since.seconds
        if since.norms:
            figures["train/gradient_norm"] = fmean(since.norms)
        for size, losses in since.losses.items():
            figures[f"train/loss_of_{size}_subnets"] = fmean(losses)
        if record.valid_loss is not None:
            valid = {FULL_SHAPE: record.valid_loss, **record.subnet_losses}
            figures |= {f"valid/{name.replace(' ', '_')}": loss for name, loss in valid.items()}
            figures["valid/mean"] = record.mean_loss or 0.0
            routers, self._routers = self._routers.figures(), RouterUse(self._shape)
            figures |= {f"router/{name}": value for name, value in routers.items()}
        self._accelerator.log(figures, step=record.update)

    def finish(self) -> None:
        """Close the trackers. Accelerate's own function would end the process group as well."""
        with redirect_stdout(sys.stderr):
            for tracker in self._accelerator.trackers:
                _finish(tracker)
        self._accelerator.trackers.clear()


def _finish(tracker: GeneralTracker) -> None:
    """Close a tracker. Trackio's own function also forgets the run, which ends again at exit."""
    if tracker.name == "trackio":
        import_module("trackio").finish()
    else:
        tracker.finish()


def _flops(subnets: SubnetsOfUpdate, update: int) -> float:
    """Return the FLOPs of the subnet that learns from the text; 0 for the full shape."""
    first = subnets(update)[0]
    return 0.0 if first is None else cost(first).flops
