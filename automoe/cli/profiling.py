"""``automoe profile``."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from automoe.architecture.architecture import Architecture
from automoe.architecture.files import read_architectures
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.cli.architectures import draw_distinct
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.input_shape import parse_input_shape
from automoe.cli.opened_device import LockClocks, Runtime, opened_device
from automoe.cli.options import JsonOptions, Natural, Options, Positive, SpaceOptions, changed
from automoe.cli.refusals import Refusal, refuse
from automoe.cli.share import parse_share
from devices import Device
from devices.runtimes import ONNXRUNTIME

if TYPE_CHECKING:
    from automoe.latency.profiling import ProfileSummary
    from profilers import Protocol

_OF_SAMPLING = ("-n", "--max-experts", "--fractional")
_OF_SENTENCES = (
    *("--max-experts", "--fractional", "-n", "--until", "--beam", "--batch", "--routing"),
    *("--precision", "--reference", "--src-len", "--tgt-len", "--vocab-size"),
)
_SEVERAL_HOSTS = "--host ... --host ..."
_REFUSALS = (
    Refusal(options=_OF_SENTENCES, beside=("--model",)),
    Refusal(options=_OF_SAMPLING, beside=("--archs",)),
    Refusal(
        options=("--input-shape",),
        without=("--model",),
        message="'{option}' is for '{other}'. Got {value} without it.",
    ),
    Refusal(
        options=("--until",),
        without=("--space",),
        message="'{option}' chooses architectures itself: give '{other}' with it.",
    ),
    Refusal(
        options=("--minutes",),
        without=("--until",),
        message="'{option}' is the limit of '{other}': give both.",
    ),
    Refusal(
        options=(_SEVERAL_HOSTS,),
        beside=("--model",),
        message="'{other}' is measured on one host. Got {value}.",
    ),
)


class SourceOptions(SpaceOptions):
    """What is measured.

    Attributes:
        space: Preset or file to sample from.
        n: Architectures to sample, 50; with --until at most, 200.
        until: Stop when a predictor errs by less: 3%.
        minutes: With --until: stop after these.
        archs: Architectures to measure instead.
        model: Any ONNX file to measure instead.
        input_shape: Shape of an input of the model: name=1x30.
        seed: Seed of sampling and of the order.
    """

    space: str | None = None
    n: Annotated[Positive | None, Parameter(name="-n")] = None
    until: str | None = None
    minutes: Annotated[float, Field(ge=0.1)] | None = None
    archs: Path | None = None
    model: Path | None = None
    input_shape: tuple[str, ...] = ()
    seed: Natural = 0

    def open_space(self) -> SearchSpace | None:
        """Return the space to sample from, where there is one."""
        return None if self.space is None else self.load(self.space)


class WorkloadOptions(Options):
    """What one sample of a latency runs.

    Attributes:
        beam: Hypotheses extended together.
        batch: Sentences translated together.
        routing: balanced, worst, best, skewed:ALPHA or trace:FILE.
        precision: fp32 or int8; for tensorrt also fp16.
        src_len: Source tokens. Default: the space's; with --archs 30.
        tgt_len: Target tokens. Default: the space's; with --archs 30.
        vocab_size: Rows of the table. Default: the space's; with --archs 32768.
    """

    beam: Positive = 1
    batch: Positive = 1
    routing: str = "balanced"
    precision: str = "fp32"
    src_len: Positive | None = None
    tgt_len: Positive | None = None
    vocab_size: Annotated[int, Field(ge=5)] | None = None

    def workload(self, space: SearchSpace | None) -> TranslationWorkload:
        """Return the sentence that is translated, of the lengths of a space where one is given."""
        lengths = (space.src_len, space.tgt_len, space.vocab_size) if space else (30, 30, 32768)
        return TranslationWorkload(
            src_len=self.src_len or lengths[0],
            tgt_len=self.tgt_len or lengths[1],
            vocab_size=self.vocab_size or lengths[2],
            shared_embeddings=space.shared_embeddings if space else True,
            beam=self.beam,
            batch=self.batch,
            routing=RoutingPattern.open(self.routing),
            precision=self.precision,
        )


class MeasuringOptions(Options):
    """Where and how exactly it is measured.

    Attributes:
        device: See 'automoe devices'.
        log: CSV to append to; resumes by default.
        host: Where it is: user@board, over SSH, or a name of devices.yaml; several alike share
            the work.
        threads: Threads of the runtime.
        fast: A 5 % interval instead of 2 %.
        target: Half-width of the interval; default: 2%.
        rounds: Most blocks of each; default: 6.
        reference: Log to whose machine level to correct.
    """

    device: str
    log: Path
    host: tuple[str, ...] = ()
    runtime: Runtime = ONNXRUNTIME
    threads: Positive = 1
    fast: bool = False
    target: str | None = None
    rounds: Annotated[int, Field(ge=2)] | None = None
    reference: Path | None = None
    lock_clocks: LockClocks = False

    def protocol(self, *, seed: int) -> "Protocol":
        """Return how a session measures."""
        from profilers import Protocol  # scipy takes a moment to import

        protocol = (Protocol.fast if self.fast else Protocol)(threads=self.threads, seed=seed)
        if self.target is not None:
            protocol = replace(protocol, target_half_width=parse_share(self.target, "--target"))
        if self.rounds is not None:
            least = min(self.rounds, protocol.min_rounds)
            protocol = replace(protocol, min_rounds=least, max_rounds=self.rounds)
        return protocol

    @contextmanager
    def opened_devices(self) -> Iterator[list[Device]]:
        """Open the device at each host; where none is given, that of this machine."""
        hosts: list[str | None] = [*self.host] if self.host else [None]
        with ExitStack() as opened:
            yield [
                opened.enter_context(
                    opened_device(self.device, host, self.runtime, holds_clocks=self.lock_clocks)
                )
                for host in hosts
            ]


class ProfileOptions(SourceOptions, WorkloadOptions, MeasuringOptions, JsonOptions):
    """What is measured, where and how."""


def profile(*, options: ProfileOptions) -> ExitCode:
    """Measure architectures or a model on a device; the same command resumes."""
    _check(options)
    goal = None if options.until is None else parse_share(options.until, "--until")
    protocol = options.protocol(seed=options.seed)
    with options.opened_devices() as devices:
        if options.model is not None:
            return _conclude(_measure_model(options.model, options, devices[0], protocol), options)
        space = options.open_space()
        workload = options.workload(space)
        measure = partial(
            _measure,
            options=options,
            space=space,
            workload=workload,
            devices=devices,
            protocol=protocol,
        )
        if space is not None and goal is not None:
            return _measure_until(goal, options, space, workload, measure)
        if space is not None:
            return _conclude(measure(draw_distinct(space, options.n or 50, options.seed)), options)
        return _conclude(measure(read_architectures(options.archs or Path())), options)


def _check(options: ProfileOptions) -> None:
    """Refuse options that do not go together, or that would be ignored."""
    given = changed(options)
    sources = [flag for flag in ("--space", "--archs", "--model") if flag in given]
    if len(sources) != 1:
        raise ValueError(f"Give one of --space, --archs and --model. Got {sources or 'none'}.")
    if len(options.host) > 1:
        given[_SEVERAL_HOSTS] = f"{len(options.host)}: {options.host}"
    refuse(_REFUSALS, given)
    if twice := sorted({each for each in options.host if options.host.count(each) > 1}):
        raise ValueError(f"'--host' must name each machine once. Got {twice[0]} again.")


def _measure(
    architectures: Sequence[Architecture],
    *,
    options: ProfileOptions,
    space: SearchSpace | None,
    workload: TranslationWorkload,
    devices: Sequence[Device],
    protocol: "Protocol",
) -> "ProfileSummary":
    from automoe.latency.profiling import profile_architectures  # onnx takes a moment to import

    log = options.log
    with progress_bar("Profile") as on_progress:
        return profile_architectures(
            architectures,
            device=devices[0],
            protocol=protocol,
            workload=workload,
            log=log,
            graphs=log.with_name(f"{log.name}.graphs"),
            space=space,
            reference=options.reference,
            more_devices=devices[1:],
            on_progress=on_progress,
            on_lost=say,
        )


def _measure_until(
    goal: float,
    options: ProfileOptions,
    space: SearchSpace,
    workload: TranslationWorkload,
    measure: "Callable[[Sequence[Architecture]], ProfileSummary]",
) -> ExitCode:
    from automoe.latency.active_profiling import Goal, profile_until  # scikit-learn takes seconds

    limits = Goal(mape=goal, most=options.n or 200, minutes=options.minutes)
    outcome = profile_until(
        limits, space, workload, log=options.log, measure=measure, seed=options.seed
    )
    detail = {
        "n_rows": outcome.n_rows,
        "mape": outcome.mape,
        "is_reached": outcome.is_reached,
        "reason": outcome.reason,
    }
    code = _conclude(outcome.summary, options, detail)
    return code if code or outcome.is_reached else ExitCode.QUALITY


def _measure_model(
    model: Path, options: ProfileOptions, device: Device, protocol: "Protocol"
) -> "ProfileSummary":
    from automoe.latency.profiling import profile_model  # onnx takes a moment to import

    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    with progress_bar("Profile") as on_progress:
        return profile_model(
            model,
            point_id=f"{model.stem}-{digest}",
            input_shapes=dict(map(parse_input_shape, options.input_shape)),
            device=device,
            protocol=protocol,
            log=options.log,
            on_progress=on_progress,
        )


def _conclude(
    summary: "ProfileSummary", options: ProfileOptions, detail: Mapping[str, Any] | None = None
) -> ExitCode:
    for repaired in summary.repaired:
        say(repaired)
    for failed in summary.failed:
        say(f"{failed.point_id} could not be measured: {failed.reason}")
    if options.as_json:
        print_json({**asdict(summary), **(detail or {}), "log": str(options.log)})
    else:
        grades = ", ".join(f"{count} {grade}" for grade, count in summary.quality.items())
        graded = f" (quality {grades}; {summary.n_flagged} flagged)" if grades else ""
        print(
            f"{options.log}: {summary.n_measured} measured{graded}, "
            f"{summary.n_skipped} there before, {len(summary.failed)} failed"
        )
        if detail:
            print(detail["reason"])
    return ExitCode.PARTIAL if summary.failed else ExitCode.OK
