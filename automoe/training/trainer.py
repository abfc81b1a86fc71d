"""This module is the training loop of supernets and stand-alone models.

Everything random about an update is a function of the seed and the update's number. Therefore a
run that was killed and resumed ends with the weights of one that was not.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor

from automoe.progress import OnProgress, no_progress
from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer
from automoe.text import Batch, training_batches
from automoe.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    Record,
    optimiser_state,
    restore_optimiser,
)
from automoe.training.data import TrainingData
from automoe.training.kept_memory import memory_is_kept
from automoe.training.loss import distillation_loss, training_loss, validation_loss
from automoe.training.optimiser import adam
from automoe.training.processes import processes
from automoe.training.schedule import rate_factor
from automoe.training.subnets import Subnets, SubnetsOfUpdate, full_shape
from devices.files import held

_RECORD_EVERY = 20
_LEAST_SCALE = 1e-4  # of fp16's gradients, as in fairseq; below it every gradient overflows
_COMPARED = 20  # spaces with the same largest architecture differ in the subnets of some updates


class DivergedError(ValueError):
    """The losses or weights of a run are no longer finite numbers."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The outcome of a run.

    Attributes:
        history: The losses over the run. The last record has a validation loss.
        resumed_at: The update from which it resumed, or 0 for a run from the start.
    """

    history: tuple[Record, ...]
    resumed_at: int


def train(
    model: Transformer,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    folder: Path,
    subnets: SubnetsOfUpdate = full_shape,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train ``model`` in place, or resume from the checkpoint in ``folder``.

    Args:
        model: A supernet or a stand-alone model.
        data: The vocabulary and the pairs to learn from.
        settings: The settings of the run.
        folder: The folder of the checkpoint.
        subnets: The subnets of each update. The first one learns from the text, the others learn
            from the first.
        on_progress: A function that is called after every update.

    Raises:
        CheckpointError: The checkpoint is damaged or of another run, or another process trains
            into the folder.
        DivergedError: A loss or a weight is not a finite number.
        ValueError: A sentence is longer than a batch may be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder), memory_is_kept():
        return _Run(model, data, settings, folder=folder, subnets=subnets).go(on_progress)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock the folder against other runs. Of processes that train together the first locks it."""
    if not processes().is_main_process:
        yield
        return
    refusal = CheckpointError(
        f"'{folder}' is being trained into by another process. Wait for it to end, or choose "
        "another output."
    )
    with held(folder / "training.lock", refusal):
        yield


class _Run:
    """The state that the loop carries from update to update."""

    def __init__(
        self,
        model: Transformer,
        data: TrainingData,
        settings: TrainingSettings,
        *,
        folder: Path,
        subnets: SubnetsOfUpdate,
    ) -> None:
        # Most weights of a supernet have no gradient when a subnet is trained.
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(
            mixed_precision=settings.precision, kwargs_handlers=[parallel]
        )
        self.data = data
        self.settings = settings
        self.folder = folder
        self.subnets = subnets
        self.digest = _digest_of_run(model, data, settings, subnets)
        optimiser = adam(model, learning_rate=settings.learning_rate)
        self.bare = model
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.history: list[Record] = []
        self.saved = 0  # the update of the last checkpoint
        self.record_every = (_RECORD_EVERY, settings.validate_every, settings.save_every)

    def go(self, on_progress: OnProgress) -> TrainingResult:
        start = self._resume()
        batches = self._batches(start)
        losses: list[float] = []
        for update in range(start, self.settings.updates):
            done = update + 1
            losses.append(self._update(update, batches))
            on_progress(done, self.settings.updates, f"loss {losses[-1]:.3f}")
            if any(self._is_due(done, every) for every in self.record_every):
                self._record(done, losses)
                losses = []
            if self._is_due(done, self.settings.save_every):
                self._save(done)
        return TrainingResult(tuple(self.history), start)

    def _resume(self) -> int:
        checkpoint = Checkpoint.load(self.folder, digest=self.digest)
        if checkpoint is None:
            return 0
        n_processes = self.accelerator.num_processes
        if checkpoint.n_processes not in (None, n_processes):
            raise CheckpointError(
                f"The run in '{self.folder}' was started with {checkpoint.n_processes} processes, "
                f"which read other batches than {n_processes}. Continue it with "
                f"{checkpoint.n_processes}, or choose another folder."
            )
        self.bare.load_state_dict(checkpoint.model)
        restore_optimiser(self.optimiser.optimizer, checkpoint.optimiser, self.names)
        if checkpoint.scaler and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(checkpoint.scaler)
        self.history = list(checkpoint.history)
        self.saved = checkpoint.update
        return checkpoint.update

    def _batches(self, start: int) -> Iterator[Batch]:
        """Return this process's share of all batches after ``start`` updates, without end."""
        n_processes, settings = self.accelerator.num_processes, self.settings
        stream = training_batches(
            self.data.train,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            start_step=start * settings.accumulate * n_processes,
        )
        own = islice(stream, self.accelerator.process_index, None, n_processes)
        return (batch.to(self.accelerator.device) for batch in own)

    def _update(self, update: int, batches: Iterator[Batch]) -> float:
        """Make one update and return the loss per token."""
        settings = self.settings
        place = f"dropout {settings.seed} {update} {self.accelerator.process_index}"
        torch.manual_seed(Random(place).getrandbits(63))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(update, settings)
        micro = list(islice(batches, settings.accumulate))
        n_tokens = self._over_processes(sum(batch.n_tokens for batch in micro))
        total = 0.0
        for index, batch in enumerate(micro):
            is_last = index == len(micro) - 1
            with nullcontext() if is_last else self.accelerator.no_sync(self.model):
                total += self._backward(batch, self.subnets(update), n_tokens)
        loss = self._over_processes(total) / n_tokens
        self._require_finite(loss, "the loss", update + 1)
        if settings.clip_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        scaler = self.accelerator.scaler
        if scaler is not None and scaler.get_scale() < _LEAST_SCALE:
            raise self._diverged("fp16's gradients overflow at every scale", update + 1)
        return loss

    def _backward(self, batch: Batch, subnets: Subnets, n_tokens: float) -> float:
        """Add the gradients of every subnet and return the first one's loss, summed over tokens.

        The loss is NaN when that of another subnet is not finite.
        """
        teacher_BTV: Tensor | None = None
        first = 0.0
        for subnet in subnets:
            output = self.model(batch.source_BS, batch.target_in_BT, subnet)
            if teacher_BTV is None:
                loss = training_loss(output, batch.target_out_BT, self.settings)
                teacher_BTV, first = output.logits_BTV.detach(), float(loss.detach())
            else:
                loss = distillation_loss(output, teacher_BTV, batch.target_out_BT)
                first += 0.0 * float(loss.detach())  # NaN, unless that loss is finite
            # Gradients are averaged over the processes, so the loss is multiplied by their number.
            self.accelerator.backward(loss * self.accelerator.num_processes / n_tokens)
        return first

    def _over_processes(self, value: float) -> float:
        if self.accelerator.num_processes == 1:
            return value
        own = torch.tensor(value, dtype=torch.float64, device=self.accelerator.device)
        return float(self.accelerator.reduce(own, reduction="sum"))

    def _is_due(self, done: int, every: int) -> bool:
        return done % every == 0 or done == self.settings.updates

    def _record(self, done: int, losses: list[float]) -> None:
        valid_loss = None
        if self._is_due(done, self.settings.validate_every):
            batches = self.data.validation_batches(
                max(self.settings.max_tokens, self.settings.max_sentence)
            )
            on_device = (batch.to(self.accelerator.device) for batch in batches)
            valid_loss = validation_loss(self.bare, on_device)
            self._require_finite(valid_loss, "the validation loss", done)
        self.history.append(Record(done, sum(losses) / len(losses), valid_loss))

    def _require_finite(self, value: float, what: str, update: int) -> None:
        if not math.isfinite(value):
            raise self._diverged(f"{what} is {value}", update)

    def _diverged(self, reason: str, update: int) -> DivergedError:
        settings = self.settings
        kept = f"update {self.saved} in '{self.folder}'" if self.saved else "none"
        clip = "a smaller" if settings.clip_norm else "a"
        precision = ", or another --precision" if settings.precision == "fp16" else ""
        return DivergedError(
            f"Training diverged at update {update}: {reason}. The last good checkpoint: {kept}. "
            f"Train into another folder with a --learning-rate below {settings.learning_rate:g}, "
            f"--warmup-updates above {settings.warmup_updates}, {clip} --clip-norm{precision}."
        )

    def _save(self, done: int) -> None:
        """Write a checkpoint of finite weights."""
        for name, weight in self.bare.named_parameters():
            if not bool(torch.isfinite(weight).all()):
                raise self._diverged(f"the weight '{name}' is not finite", done)
        self.saved = done
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            Checkpoint(
                update=done,
                model=self.bare.state_dict(),
                optimiser=optimiser_state(self.optimiser.optimizer, self.names),
                history=tuple(self.history),
                digest=self.digest,
                n_processes=self.accelerator.num_processes,
                scaler={} if scaler is None else scaler.state_dict(),
            ).save(self.folder)
        self.accelerator.wait_for_everyone()


def _digest_of_run(
    model: Transformer, data: TrainingData, settings: TrainingSettings, subnets: SubnetsOfUpdate
) -> str:
    """Return a digest of everything that a resumed run must share.

    Training with another supernet's weights is another run. How often a run saves and validates
    may differ.
    """
    pairs, first_weights = hashlib.sha256(), hashlib.sha256()
    for pair in data.train:
        pairs.update(repr((pair.source, pair.target)).encode())
    for weight in model.state_dict().values():
        first_weights.update(weight.detach().cpu().numpy().tobytes())
    content = {
        "config": model.config.to_dict(),
        "settings": settings.model_dump(exclude={"save_every", "validate_every"}),
        "vocabulary": data.vocabulary.sha256,
        "pairs": pairs.hexdigest(),
        "first_weights": first_weights.hexdigest(),
        "subnets": [[x and x.id for x in subnets(update)] for update in range(_COMPARED)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
