"""Time a few seconds of each kind of work of a run on this machine.

Training and evaluation are timed on made-up sentences of the space's lengths, so that neither
a corpus nor a vocabulary is needed.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import profile_architectures
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Batch, Pair, evaluation_batches
from automoe.text.special_tokens import EOS
from automoe.training import SubnetsOfUpdate, TrainingSettings, validation_loss
from automoe.training.loss import training_loss
from automoe.training.optimiser import adam
from devices import Device
from profilers import Protocol, read_log

MADE_UP_TOKENS = 1024
N_UPDATES = 3  # besides the first one, whose time does not count
N_BLOCKS = 2
_FIRST_PIECE = EOS + 1


@dataclass(frozen=True, slots=True)
class Profiled:
    """The time to measure one architecture, and its latency.

    Attributes:
        block_s: The seconds of one block, with the start of its worker.
        latency_ms: The latency of the architecture.
    """

    block_s: float
    latency_ms: float


def seconds_per_update(
    config: TransformerConfig,
    settings: TrainingSettings,
    space: SearchSpace,
    subnets: SubnetsOfUpdate,
) -> float:
    """Return the seconds of one update of one process.

    The timed batch has at most `MADE_UP_TOKENS` tokens. The time of its gradients is scaled to
    the settings' batch; the time of the optimiser is not.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Transformer(config, seed=0).to(device).train()
    batch = made_up_batch(space, min(settings.max_tokens, MADE_UP_TOKENS)).to(device)
    optimiser = adam(model, learning_rate=settings.learning_rate)
    gradients_s: list[float] = []
    steps_s: list[float] = []
    for update in range(1 + N_UPDATES):
        with _timed(gradients_s):
            for subnet in subnets(update):
                with mixed_precision(settings.precision, device):
                    output = model(batch.source_BS, batch.target_in_BT, subnet)
                    loss = training_loss(output, batch.target_out_BT, settings)
                loss.backward()  # type: ignore[no-untyped-call] # torch
        with _timed(steps_s):
            optimiser.step()
            optimiser.zero_grad()
    scale = float(settings.accumulate * settings.max_tokens / batch.source_BS.numel())
    return scale * median(gradients_s[1:]) + median(steps_s[1:])


def seconds_per_token(config: TransformerConfig, space: SearchSpace, subnet: Architecture) -> float:
    """Return the seconds that the loss of a subnet takes for each target token.

    The supernet is not trained. One thread computes, as in a search.
    """
    model = Transformer(config, seed=0).eval()
    batch = made_up_batch(space, MADE_UP_TOKENS)
    seconds: list[float] = []
    with threads(1):
        for _ in range(2):
            with _timed(seconds):
                validation_loss(model, [batch], subnet)
    return seconds[-1] / batch.n_tokens


def profiled(
    architecture: Architecture,
    *,
    device: Device,
    protocol: Protocol,
    workload: TranslationWorkload,
    space: SearchSpace,
) -> Profiled | None:
    """Measure one architecture in `N_BLOCKS` blocks. Return None when it cannot be measured.

    Raises:
        DeviceUnavailableError, ProfilingError: `profile_architectures` raised it.
    """
    seconds: list[float] = []
    with TemporaryDirectory(prefix="automoe-plan-") as folder, _timed(seconds):
        log = Path(folder) / "latency.csv"
        profile_architectures(
            [architecture],
            device=device,
            protocol=replace(protocol, min_rounds=N_BLOCKS, max_rounds=N_BLOCKS),
            workload=workload,
            log=log,
            space=space,
            graphs=Path(folder) / "graphs",
        )
        rows = read_log(log)
    if not rows:
        return None
    return Profiled(seconds[0] / N_BLOCKS, float(rows[0]["latency_ms"]))


def made_up_batch(space: SearchSpace, max_tokens: int) -> Batch:
    """Return one batch of sentences of the space's lengths, cut to ``max_tokens``."""
    src_len, tgt_len = (min(n, max_tokens - 1) for n in (space.src_len, space.tgt_len))
    length = max(src_len, tgt_len + 1)
    piece = _FIRST_PIECE % space.vocab_size
    pair = Pair((*[piece] * (src_len - 1), EOS), (piece,) * tgt_len)
    n_pairs = max(1, max_tokens // length)
    return next(evaluation_batches([pair] * n_pairs, max_tokens=n_pairs * length))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use so many threads for as long as the `with` block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def mixed_precision(precision: str, device: str) -> AbstractContextManager[object]:
    """Compute in half precision if the settings of a training say so."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    return nullcontext() if dtype is None else torch.autocast(device, dtype)


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds.append(time.perf_counter() - started)
