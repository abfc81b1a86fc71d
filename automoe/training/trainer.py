"""The training loop: one for the supernet and for a stand-alone model.

Everything random about an update is a function of the seed and the update's number, so a run
that was killed and resumed gives the weights of one that was not.
"""

import hashlib
import json
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
from automoe.training.loss import distillation_loss, training_loss, validation_loss
from automoe.training.processes import processes
from automoe.training.schedule import rate_factor
from automoe.training.subnets import Subnets, SubnetsOfUpdate, full_shape
from devices.files import held

_BETAS = (0.9, 0.98)  # of Vaswani et al., 2017
_RECORD_EVERY = 20
_COMPARED = 20  # updates whose subnets tell spaces of one supernet's shape apart


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The outcome of a run.

    Attributes:
        history: Losses over the run; the last record has a validation loss.
        resumed_at: The update it went on from; 0 for a run from the start.
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
    """Train ``model`` in place, going on from the checkpoint in ``folder`` when there is one.

    Args:
        model: A supernet or a stand-alone model.
        data: What to learn from.
        settings: How.
        folder: Where the checkpoint is kept.
        subnets: The subnets of each update; the first one learns from the text, the others from
            the first.
        on_progress: Called after every update.

    Raises:
        CheckpointError: The checkpoint is damaged or of another run, or another one is training.
        ValueError: A sentence is longer than a batch may be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        return _Run(model, data, settings, folder=folder, subnets=subnets).go(on_progress)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep another training out of the folder; of several processes of one the first does so."""
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
        # A subnet leaves most of the supernet without a gradient.
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(
            mixed_precision=settings.precision, kwargs_handlers=[parallel]
        )
        self.data = data
        self.settings = settings
        self.folder = folder
        self.subnets = subnets
        self.fingerprint = _fingerprint(model, data, settings, subnets)
        optimiser = torch.optim.Adam(
            model.parameters(), lr=settings.learning_rate, betas=_BETAS, eps=1e-8
        )
        self.bare = model
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.history: list[Record] = []
        self.record_every = (_RECORD_EVERY, settings.validate_every, settings.save_every)

    def go(self, on_progress: OnProgress) -> TrainingResult:
        start = self._resume()
        batches = self._batches(start)
        losses: list[float] = []
        for update in range(start, self.settings.updates):
            losses.append(self._update(update, batches))
            done = update + 1
            on_progress(done, self.settings.updates, f"loss {losses[-1]:.3f}")
            if any(self._is_due(done, every) for every in self.record_every):
                self._record(done, losses)
                losses = []
            if self._is_due(done, self.settings.save_every):
                self._save(done)
        return TrainingResult(tuple(self.history), start)

    def _resume(self) -> int:
        checkpoint = Checkpoint.load(self.folder, fingerprint=self.fingerprint)
        if checkpoint is None:
            return 0
        self.bare.load_state_dict(checkpoint.model)
        restore_optimiser(self.optimiser.optimizer, checkpoint.optimiser, self.names)
        self.history = list(checkpoint.history)
        return checkpoint.update

    def _batches(self, start: int) -> Iterator[Batch]:
        """Return this process's share of the endless stream, from where the run stands."""
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
        """Make one optimiser step; return the loss per token."""
        settings = self.settings
        torch.manual_seed(_dropout_seed(settings.seed, update, self.accelerator.process_index))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(update, settings)
        micro = list(islice(batches, settings.accumulate))
        n_tokens = self._over_processes(sum(batch.n_tokens for batch in micro))
        total = 0.0
        for index, batch in enumerate(micro):
            is_last = index == len(micro) - 1
            with nullcontext() if is_last else self.accelerator.no_sync(self.model):
                total += self._backward(batch, self.subnets(update), n_tokens)
        if settings.clip_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return self._over_processes(total) / n_tokens

    def _backward(self, batch: Batch, subnets: Subnets, n_tokens: float) -> float:
        """Add up the gradients of every subnet; return the first one's loss, summed over tokens."""
        teacher_BTV: Tensor | None = None
        first = 0.0
        for subnet in subnets:
            output = self.model(batch.source_BS, batch.target_in_BT, subnet)
            if teacher_BTV is None:
                loss = training_loss(output, batch.target_out_BT, self.settings)
                teacher_BTV, first = output.logits_BTV.detach(), float(loss.detach())
            else:
                loss = distillation_loss(output, teacher_BTV, batch.target_out_BT)
            # Processes are averaged, so each weighs its share of all tokens by their number.
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
        self.history.append(Record(done, sum(losses) / len(losses), valid_loss))

    def _save(self, done: int) -> None:
        if self.accelerator.is_main_process:
            Checkpoint(
                update=done,
                model=self.bare.state_dict(),
                optimiser=optimiser_state(self.optimiser.optimizer, self.names),
                history=tuple(self.history),
                fingerprint=self.fingerprint,
            ).save(self.folder)
        self.accelerator.wait_for_everyone()


def _dropout_seed(seed: int, update: int, process: int) -> int:
    return Random(f"dropout {seed} {update} {process}").getrandbits(63)


def _digest(model: Transformer) -> str:
    """Return a digest of the first weights: those of another supernet make another run."""
    digest = hashlib.sha256()
    for weight in model.state_dict().values():
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _fingerprint(
    model: Transformer, data: TrainingData, settings: TrainingSettings, subnets: SubnetsOfUpdate
) -> str:
    """Digest what must be the same to continue a run; how often it saves may differ."""
    pairs = hashlib.sha256()
    for pair in data.train:
        pairs.update(repr((pair.source, pair.target)).encode())
    content = {
        "config": model.config.to_dict(),
        "settings": settings.model_dump(exclude={"save_every", "validate_every"}),
        "vocabulary": data.vocabulary.sha256,
        "pairs": pairs.hexdigest(),
        "first_weights": _digest(model),
        "subnets": [[x and x.id for x in subnets(update)] for update in range(_COMPARED)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
