"""This module is the training loop of supernets and stand-alone models.

Everything random about an update is a function of the seed and the update's number. Therefore a
run that was killed and resumed ends with the weights of one that was not.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor

from automoe.architecture.architecture import Architecture
from automoe.progress import OnProgress, no_progress
from automoe.settings.training import MAY_DIFFER, TrainingSettings
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
from automoe.training.divergence import FiniteChecks
from automoe.training.fingerprint import fingerprint
from automoe.training.history import History
from automoe.training.interruption import Interruption, waiting_interruption
from automoe.training.kept_memory import memory_is_kept
from automoe.training.kept_weights import FinalWeights, KeptWeights
from automoe.training.loss import distillation_loss, training_loss
from automoe.training.optimiser import adam
from automoe.training.processes import over_processes, processes
from automoe.training.schedule import rate_factor
from automoe.training.subnets import Subnets, SubnetsOfUpdate, full_shape
from automoe.training.tracking import FOLDER as TRACKED
from automoe.training.tracking import Tracking, Update
from automoe.training.validation import Validation
from devices.files import held
from devices.shown import Shown

_RECORD_EVERY = 20
_LEAST_SCALE = 1e-4  # of fp16's gradients, as in fairseq; below it every gradient overflows


@dataclass(frozen=True, slots=True, repr=False)
class TrainingResult(Shown):
    """The outcome of a run.

    Attributes:
        history: The losses over the run. The last record has a validation loss. Its update is the
            number of updates done, which is smaller than that of the settings after an early stop.
        resumed_at: The update from which it resumed, or 0 for a run from the start.
        final: The weights that the model has now.
    """

    history: tuple[Record, ...]
    resumed_at: int
    final: FinalWeights

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        last = self.history[-1]
        return {
            "updates": last.update,
            "validation loss": last.valid_loss,
            "final weights": str(self.final),
            "resumed at": self.resumed_at or None,
        }


def train(
    model: Transformer,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    folder: Path,
    subnets: SubnetsOfUpdate = full_shape,
    validated: Mapping[str, Architecture] | None = None,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train ``model`` in place, or resume from the checkpoint in ``folder``.

    Afterwards the model has the final weights, by default those of the best validation.

    Args:
        model: A supernet or a stand-alone model.
        data: The vocabulary and the pairs to learn from.
        settings: The settings of the run.
        folder: The folder of the checkpoint, the kept weights and the trackers' files.
        subnets: The subnets of each update. The first one learns from the text, the others learn
            from the first.
        validated: The subnets that a validation evaluates beside the full shape, by name.
        on_progress: A function that is called after every update.

    Raises:
        CheckpointError: The checkpoint is damaged or of another run, or another process trains
            into the folder.
        DivergedError: A loss or a weight is not a finite number.
        KeyboardInterrupt: The user interrupted. Of a process that trains alone, a checkpoint of the
            last update was saved, and the message says so.
        ValueError: A sentence is longer than a batch may be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder), memory_is_kept():
        run = _Run(model, data, settings, folder=folder, subnets=subnets, validated=validated or {})
        return run.go(on_progress)


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
        validated: Mapping[str, Architecture],
    ) -> None:
        # Most weights of a supernet have no gradient when a subnet is trained.
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        # Accelerate keeps the precision of a process's first training and refuses another one.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(
            mixed_precision=settings.precision,
            kwargs_handlers=[parallel],
            log_with=list(settings.track) or None,
            project_dir=folder / TRACKED,
        )
        self.data = data
        self.settings = settings
        self.folder = folder
        self.subnets = subnets
        self.digest = fingerprint(model, data, settings, subnets)
        self.shared = settings.model_dump(mode="json", exclude=set(MAY_DIFFER))
        optimiser = adam(model, learning_rate=settings.learning_rate)
        self.bare = model
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.tracking = Tracking(self.accelerator, shape=model.config.architecture, subnets=subnets)
        self.finite = FiniteChecks(settings, folder)
        self.history = History(
            model,
            settings,
            validation=Validation(data, settings, self.accelerator, subnets=validated),
            kept=KeptWeights(folder, settings, writes=self.accelerator.is_main_process),
            tracking=self.tracking,
            finite=self.finite,
        )
        self.losses: list[float] = []  # of the updates since the last record
        self.record_every = (_RECORD_EVERY, settings.validate_every, settings.save_every)

    def go(self, on_progress: OnProgress) -> TrainingResult:
        start = self._resume()
        if start < self.settings.updates and not self.history.is_stalled:
            self.tracking.start(self.folder, start)
        try:
            is_alone = self.accelerator.num_processes == 1
            with waiting_interruption(is_alone=is_alone) as interruption:
                self._loop(start, on_progress, interruption)
        finally:
            self.tracking.finish()
        self.accelerator.wait_for_everyone()
        final = self.history.final()
        # Accelerate has wrapped the model's forward. Whoever gets the model computes in float32.
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        return TrainingResult(tuple(self.history.records), start, final)

    def _loop(self, start: int, on_progress: OnProgress, interruption: Interruption) -> None:
        n_updates = self.settings.updates
        batches = self._batches(start)
        losses = self.losses
        for update in range(start, n_updates):
            if self.history.is_stalled:
                on_progress(n_updates, n_updates, f"no smaller loss: stopped at update {update}")
                return
            started, done = time.perf_counter(), update + 1
            made = self._update(update, batches)
            self.tracking.add(update, made, time.perf_counter() - started)
            losses.append(made.loss)
            if any(self._is_due(done, every) for every in self.record_every):
                rate = self.settings.learning_rate * rate_factor(update, self.settings)
                is_validated = self._is_due(done, self.settings.validate_every)
                self.history.add(done, losses, rate, is_validated=is_validated)
                losses.clear()
            on_progress(done, n_updates, f"loss {made.loss:.3f}{self.history.note}")
            is_last = self.history.is_stalled or done == n_updates
            if interruption.is_asked_for or is_last or done % self.settings.save_every == 0:
                self._save(done)
            if interruption.is_asked_for:  # after the last update, too: a run would go on
                raise KeyboardInterrupt(f"A checkpoint of update {done} of {n_updates} was saved.")

    def _resume(self) -> int:
        checkpoint = Checkpoint.load(self.folder, digest=self.digest, settings=self.shared)
        if checkpoint is None:
            self.history.resume([])
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
        self.history.resume(checkpoint.history)
        self.losses.extend(checkpoint.losses)
        self.finite.saved = checkpoint.update
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

    def _update(self, update: int, batches: Iterator[Batch]) -> Update:
        """Make one update and return what it was like."""
        settings = self.settings
        place = f"dropout {settings.seed} {update} {self.accelerator.process_index}"
        torch.manual_seed(Random(place).getrandbits(63))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(update, settings)
        micro = list(islice(batches, settings.accumulate))
        n_tokens = over_processes(self.accelerator, sum(batch.n_tokens for batch in micro))
        total = 0.0
        for index, batch in enumerate(micro):
            is_last = index == len(micro) - 1
            with nullcontext() if is_last else self.accelerator.no_sync(self.model):
                total += self._backward(batch, self.subnets(update), n_tokens)
        loss = over_processes(self.accelerator, total) / n_tokens
        self.finite.require(loss, "the loss", update + 1)
        norm: float | None = None
        if settings.clip_norm:
            norm = float(
                self.accelerator.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
            )
        self.optimiser.step()
        self.optimiser.zero_grad()
        scaler = self.accelerator.scaler
        if scaler is not None and scaler.get_scale() < _LEAST_SCALE:
            raise self.finite.error("fp16's gradients overflow at every scale", update + 1)
        return Update(loss, n_tokens, norm)

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

    def _is_due(self, done: int, every: int) -> bool:
        return done % every == 0 or done == self.settings.updates

    def _save(self, done: int) -> None:
        """Write a checkpoint of finite weights."""
        self.finite.require_weights(self.bare, done)
        self.finite.saved = done
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            Checkpoint(
                update=done,
                model=self.bare.state_dict(),
                optimiser=optimiser_state(self.optimiser.optimizer, self.names),
                history=tuple(self.history.records),
                digest=self.digest,
                n_processes=self.accelerator.num_processes,
                scaler={} if scaler is None else scaler.state_dict(),
                settings=self.shared,
                losses=tuple(self.losses),
            ).save(self.folder)
            self.history.forget()
        self.accelerator.wait_for_everyone()
