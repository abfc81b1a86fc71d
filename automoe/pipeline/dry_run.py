"""Estimate how long a run would take, without starting it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

import torch

from automoe.architecture.space import SearchSpace
from automoe.pipeline.config import RunConfig
from automoe.pipeline.final_models import have_cores, threads_of_each
from automoe.pipeline.finished import pieces_done
from automoe.pipeline.throughput import (
    MADE_UP_TOKENS,
    N_BLOCKS,
    N_UPDATES,
    Profiled,
    profiled,
    seconds_per_token,
    seconds_per_update,
    threads,
)
from automoe.progress import OnProgress, no_progress
from automoe.run_files import MODELS
from automoe.search import WorkersUnavailableError
from automoe.search.expected_time import ExpectedTime, default_jobs
from automoe.search.workers.pool import require_cluster
from automoe.supernet import TransformerConfig
from automoe.text import CorpusError
from automoe.training import SettingsError, full_shape, sampled
from automoe.training.tracking import require_trackers
from devices import Device, DeviceUnavailableError
from devices.opening import opened_device
from devices.remote.host import say_nothing
from devices.remote.session import Say
from profilers import ProfilingError, Protocol

_ASSUMED_SENTENCES = 3000  # of a split that is missing; newstest2014 has 3003
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The plan of one stage.

    Attributes:
        stage: The name of the stage.
        done: The number of finished pieces of work.
        total: The number of all pieces: architectures, updates, evaluations, or 1.
        estimate_s: The seconds for the rest; None when there is no estimate.
        basis: The basis of the estimate, for the user.
    """

    stage: str
    done: int
    total: int
    estimate_s: float | None
    basis: str

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to do."""
        return self.done >= self.total


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run.

    Attributes:
        stages: The plans of the stages, in their order.
        missing: What the run needs and does not have, one line for each, for the user.
        together: The names of the stages that run at the same time.
    """

    stages: tuple[StagePlan, ...]
    missing: tuple[str, ...]
    together: tuple[str, ...] = ()

    @property
    def total_s(self) -> float:
        """The seconds of all stages that have an estimate; of those at the same time the most."""
        seconds = {stage.stage: stage.estimate_s or 0.0 for stage in self.stages}
        longest_s = max((seconds.pop(name) for name in self.together), default=0.0)
        return sum(seconds.values()) + longest_s


def plan_run(
    config: RunConfig, *, on_progress: OnProgress = no_progress, say: Say = say_nothing
) -> Plan:
    """Count what is done and time a little of what is left. Nothing is written to the folder.

    Args:
        config: The configuration of the run.
        on_progress: Called after each stage.
        say: Called with a message before it waits for another session on the device.

    Raises:
        ConfigError: The folder belongs to a run with another configuration.
        LogError, CheckpointError: A file of the run is damaged.
        SpaceError, UnknownDeviceError: There is no such space or device.
    """
    config.require_own_folder()
    space = config.space.open()
    with ExitStack() as opened:
        estimates = _Estimates(config, space)
        try:
            device = opened_device(config.device, config.host, say=say, waits=True)
            estimates.device = opened.enter_context(device)
        except DeviceUnavailableError as error:
            estimates.problems.append(str(error))
        return _plan(estimates, on_progress)


def _plan(estimates: "_Estimates", on_progress: OnProgress) -> Plan:
    of_stage: dict[str, Callable[[int], tuple[float | None, str]]] = {
        "profile": estimates.profile,
        "fit": lambda left: (None, "not estimated: mostly less than a minute"),
        "supernet": estimates.supernet,
        "search": estimates.search,
        "verify": estimates.verify,
        **{f"finetune {name}": estimates.finetune for name in MODELS},
        **{f"evaluate {name}": estimates.evaluate for name in MODELS},
        "report": lambda left: (None, "not estimated: seconds"),
    }
    pieces = pieces_done(estimates.config, estimates.space)
    trainings = [name for name in map("finetune {}".format, MODELS) if _is_left(*pieces[name])]
    if len(trainings) < 2 or not have_cores(len(trainings), jobs=estimates.config.search.jobs):
        trainings = []
    estimates.n_together = len(trainings)
    stages = []
    for name, (done, total) in pieces.items():
        left = total - done
        estimate_s, basis = of_stage[name](left) if left > 0 else (0.0, "done")
        stages.append(StagePlan(name, done, total, estimate_s, basis))
        on_progress(len(stages), len(of_stage), name)
    return Plan(tuple(stages), tuple(estimates.missing()), tuple(trainings))


def _is_left(done: int, total: int) -> bool:
    return done < total


@dataclass(frozen=True, slots=True)
class _Text:
    """The sizes of the text.

    Attributes:
        n_valid_tokens: The target tokens of the valid split.
        n_test: The sentences of the test split.
        what: The origin of these numbers, for the user.
    """

    n_valid_tokens: int
    n_test: int
    what: str


@dataclass(eq=False)
class _Estimates:
    """The estimates of the stages: the seconds for what is left, and their basis.

    Each kind of work is timed once, when an estimate needs it.
    """

    config: RunConfig
    space: SearchSpace
    device: Device | None = None
    problems: list[str] = field(default_factory=list)
    n_together: int = 0  # final models that are trained side by side

    def missing(self) -> list[str]:
        """Return what the run needs and does not have."""
        gpu = [
            f"'{name}.precision' is fp16, which needs a CUDA device; this machine has none."
            for name in ("train", "finetune")
            if getattr(self.config, name).precision == "fp16" and not torch.cuda.is_available()
        ]
        _ = self._text  # adds a problem when the corpus is missing
        refused = []
        try:
            require_cluster(self.config.search.cluster)
        except WorkersUnavailableError as error:
            refused = [str(error)]
        try:
            require_trackers((*self.config.train.track, *self.config.finetune.track))
        except SettingsError as error:
            refused.append(str(error))
        return [*self.problems, *gpu, *refused]

    def profile(self, left: int) -> tuple[float | None, str]:
        return self._measured(left, self._protocol)

    def supernet(self, left: int) -> tuple[float | None, str]:
        settings = self.config.train
        each_s = seconds_per_update(
            self._supernet, settings, self.space, sampled(self.space, settings)
        )
        return left * each_s, self._trained(each_s, "random subnets")

    def search(self, left: int) -> tuple[float | None, str]:
        search, n_tokens = self.config.search, self._text.n_valid_tokens
        share = sum(2.0**-n * 4.0 ** (n - search.halvings) for n in range(search.halvings + 1))
        subnet = self.space.sample(Random("plan"))
        each_s = share * n_tokens * seconds_per_token(self._supernet, self.space, subnet)
        jobs = search.jobs or default_jobs(self.space, search)
        time = ExpectedTime(left, each_s, 1 if search.cluster else jobs)
        at_once = f"{time.n_processes} at once"
        where = "on a cluster less, by its workers" if search.cluster else at_once
        basis = (
            f"{each_s:.3g} s for each: {MADE_UP_TOKENS} made-up tokens timed on one thread with "
            f"one random subnet, scaled to {n_tokens} tokens ({self._text.what}); {where}"
        )
        return time.seconds, basis

    def verify(self, left: int) -> tuple[float | None, str]:
        search = self.config.search
        protocol = Protocol.verification(
            budget_ms=search.budget_ms, threads=self.config.profile.threads
        )
        estimate_s, basis = self._measured(min(search.verify_top, search.verify_most) + 1, protocol)
        if estimate_s is None:
            return None, basis
        most_s = 60 * search.device_minutes
        return min(estimate_s, most_s), f"{basis}; one round, at most {most_s:.0f} s in all"

    def finetune(self, left: int) -> tuple[float | None, str]:
        basis = self._trained(self._finetuned_s, "the largest dense architecture")
        return left * self._finetuned_s, basis + "; both at the same time" * bool(self.n_together)

    def evaluate(self, left: int) -> tuple[float | None, str]:
        if self._block is None:
            return None, "not estimated: nothing could be measured"
        settings = self.config.evaluate
        n = settings.sentences or self._text.n_test
        workload = self.config.workload
        beams = settings.beam / workload.beam
        sentence_ms = self._block.latency_ms / workload.batch
        basis = (
            f"{n} sentences of {sentence_ms:.3g} ms, one architecture's latency, "
            f"times {beams:g} for the beam"
        )
        return n * beams * sentence_ms / 1000, basis

    def _measured(self, n: int, protocol: Protocol) -> tuple[float | None, str]:
        if self._block is None:
            return None, "not estimated: nothing could be measured"
        each_s = protocol.min_rounds * self._block.block_s
        return n * each_s, (
            f"{n} architectures of {each_s:.3g} s: {N_BLOCKS} blocks of one timed, "
            f"{protocol.min_rounds} taken for each, where up to {protocol.max_rounds} may be needed"
        )

    def _trained(self, each_s: float, what: str) -> str:
        where = "CUDA" if torch.cuda.is_available() else "CPU"
        return (
            f"{each_s:.3g} s an update: {N_UPDATES} timed with {what} on at most {MADE_UP_TOKENS} "
            f"made-up tokens, scaled to the batch; one process, float32, this {where}"
        )

    @property
    def _protocol(self) -> Protocol:
        return self.config.profile.protocol(seed=self.config.seed)

    @cached_property
    def _supernet(self) -> TransformerConfig:
        return TransformerConfig.for_space(self.space)

    @cached_property
    def _finetuned_s(self) -> float:
        config = replace(self._supernet, architecture=self.space.largest(experts=1))
        n_threads = threads_of_each(self.n_together) if self.n_together else torch.get_num_threads()
        with threads(n_threads):
            return seconds_per_update(config, self.config.finetune, self.space, full_shape)

    @cached_property
    def _block(self) -> Profiled | None:
        if self.device is None:
            return None
        try:
            return profiled(
                self.space.sample(Random("plan")),
                device=self.device,
                protocol=self._protocol,
                workload=self.config.workload.sentence(self.space),
                space=self.space,
            )
        except (DeviceUnavailableError, ProfilingError) as error:
            self.problems.append(f"Nothing can be measured on '{self.device.name}': {error}")
            return None

    @cached_property
    def _text(self) -> _Text:
        try:
            corpus = self.config.data.open()
            valid, n_test = corpus.split("valid"), len(corpus.split("test"))
        except CorpusError as error:
            self.problems.append(str(error))
            n_tokens = _ASSUMED_SENTENCES * self.space.tgt_len
            return _Text(n_tokens, _ASSUMED_SENTENCES, f"{_ASSUMED_SENTENCES} assumed sentences")
        n_tokens = sum(map(len, valid.target)) // _CHARACTERS_PER_TOKEN + len(valid)
        what = f"{len(valid)} sentences, {_CHARACTERS_PER_TOKEN} characters taken for a token"
        return _Text(n_tokens, n_test, what)
