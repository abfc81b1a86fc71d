"""Carry out ``automoe profile``."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from automoe.architecture.architecture import Architecture
from automoe.architecture.architecture_files import read_architectures
from automoe.architecture.sampling import draw_distinct
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.cli.completing import DEVICE, SPACE
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.device_options import ON_DEVICE, LockClocks, Runtime, opened_and_announced
from automoe.cli.exits import ExitCode
from automoe.cli.log_rows import flag_lines, print_rows, row_values
from automoe.cli.model_input_options import ModelInputOptions
from automoe.cli.options import (
    FILE,
    OUTPUT,
    SHARE,
    JsonOptions,
    Natural,
    Options,
    SpaceOptions,
    changed,
    grouped,
)
from automoe.cli.outputs import require_file, require_output
from automoe.cli.refusals import Refusal, refuse
from automoe.settings.groups import PrecisionSettings, SentenceSettings
from automoe.settings.search import MOST, Count
from automoe.settings.share import parse_share
from devices import Device
from devices.runtimes import ONNXRUNTIME

if TYPE_CHECKING:
    from automoe.latency.architecture_profiling import ProfileSummary
    from profilers import Protocol

_OF_SAMPLING = ("-n", "--max-experts", "--fractional")
_OF_SENTENCES = (
    *("--max-experts", "--fractional", "-n", "--until", "--beam", "--batch", "--routing"),
    *("--precision", "--reference", "--shortlist", "--src-len", "--tgt-len", "--vocab-size"),
)
_SEVERAL_HOSTS = "--host ... --host ..."
_REFUSALS = (
    Refusal(
        options=("--batch",),
        beside=("--model",),
        message="'--batch' is for architectures. The batch of a model is a size of its inputs: "
        "give --input-shape NAME={value}x...",
    ),
    Refusal(options=_OF_SENTENCES, beside=("--model",)),
    Refusal(options=_OF_SAMPLING, beside=("--archs",)),
    Refusal(
        options=("--input-shape", "--input", "--input-file"),
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


@grouped("What is measured")
class SourceOptions(SpaceOptions):
    """The architectures or the model to measure.

    Attributes:
        space: Preset or YAML file from which architectures are drawn.
        n: Number of architectures, or with --until the most of them; default: 50, or 200.
        until: Measure until fresh rows confirm a mean error of a predictor below this, such as 3%;
            one stop in ten may be wrong.
        minutes: With --until: stop after this time.
        archs: File of the architectures, instead of --space.
        model: Any ONNX file, instead of architectures.
        seed: Seed of the draws and of the order of measuring.
    """

    space: Annotated[str | None, SPACE] = None
    n: Annotated[Count | None, Parameter(name="-n")] = None
    until: Annotated[str | None, SHARE] = None
    minutes: Annotated[float, Field(ge=0.1, allow_inf_nan=False)] | None = None
    archs: Annotated[Path | None, FILE] = None
    model: Annotated[Path | None, FILE] = None
    seed: Natural = 0

    def open_space(self) -> SearchSpace | None:
        """Return the space from which architectures are drawn; None without --space."""
        return None if self.space is None else self.load(self.space)


@grouped("The timed sentence")
class SentenceOptions(Options, SentenceSettings):
    """The sentence that is timed.

    Attributes:
        src_len: Source tokens; default: the space's, or 30 with --archs.
        tgt_len: Target tokens; default: the space's, or 30 with --archs.
        vocab_size: Pieces of the vocabulary; default: the space's, or 32768 with --archs.
        shortlist: Pieces that a step predicts, with onnxruntime; default: all.
    """

    vocab_size: Annotated[int, Field(ge=5, le=MOST)] | None = None
    shortlist: Count | None = None

    def sentence(self, space: SearchSpace | None) -> TranslationWorkload:
        """Return the sentence, see `SentenceSettings`."""
        sentence = super().sentence(space)
        vocab_size = self.vocab_size or sentence.vocab_size
        return replace(sentence, vocab_size=vocab_size, shortlist=self.shortlist or 0)


@grouped("How it is measured")
class MeasuringOptions(Options, PrecisionSettings):
    """The device, and how it measures.

    Attributes:
        device: Device to measure on, see 'automoe devices'.
        log: CSV file to append to. A log that exists is resumed.
        host: Host of the device: user@board, over SSH, or a name of devices.yaml. Several hosts of
            one kind share the work.
        target: Half-width of the interval at which an architecture is done; default: 2%, with
            --fast 5%.
        rounds: Most blocks of each architecture; default: 6, with --fast 3.
        reference: Log to whose machine level the latencies are corrected.
    """

    device: Annotated[str, ON_DEVICE, DEVICE]
    log: Annotated[Path, FILE, OUTPUT]
    host: Annotated[tuple[str, ...], ON_DEVICE, Parameter(metavar="HOST...")] = ()
    runtime: Runtime = ONNXRUNTIME
    target: Annotated[str | None, SHARE] = None
    rounds: Annotated[int, Field(ge=2, le=MOST)] | None = None
    reference: Annotated[Path | None, FILE] = None
    lock_clocks: LockClocks = False

    def protocol(self, *, seed: int) -> "Protocol":
        """Return the protocol of a session, see `PrecisionSettings`."""
        protocol = super().protocol(seed=seed)
        if self.target is not None:
            protocol = replace(protocol, target_half_width=parse_share(self.target, "--target"))
        if self.rounds is not None:
            least = min(self.rounds, protocol.min_rounds)
            protocol = replace(protocol, min_rounds=least, max_rounds=self.rounds)
        return protocol

    @contextmanager
    def opened_devices(self) -> Iterator[list[Device]]:
        """Open the device of each host; without --host, the device of this machine.

        Hosts are opened in the order of their names. So two commands with the same hosts never wait
        for each other.
        """
        hosts: list[str | None] = [*sorted(self.host)] if self.host else [None]
        with ExitStack() as opened:
            yield [
                opened.enter_context(
                    opened_and_announced(
                        self.device, host, self.runtime, holds_clocks=self.lock_clocks
                    )
                )
                for host in hosts
            ]


class ProfileOptions(
    SourceOptions, ModelInputOptions, SentenceOptions, MeasuringOptions, JsonOptions
):
    """All options of the command."""


def profile(*, options: ProfileOptions) -> ExitCode:
    """Measure architectures or a model on a device; the same command resumes."""
    _check(options)
    goal = None if options.until is None else parse_share(options.until, "--until")
    protocol = options.protocol(seed=options.seed)
    # What can be said at once is said before a device is opened, which may have to be waited for.
    space, log = options.open_space(), options.log
    workload = options.sentence(space)
    given = read_architectures(options.archs) if options.archs else []
    with options.opened_devices() as devices:
        if options.model is not None:
            return _conclude(_measure_model(options.model, options, devices[0], protocol), options)
        # onnx takes a moment to import
        from automoe.latency.architecture_profiling import profile_architectures

        def measure(architectures: Sequence[Architecture]) -> "ProfileSummary":
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

        if space is not None and goal is not None:
            return _measure_until(goal, options, space, workload, measure)
        if space is not None:
            return _conclude(measure(draw_distinct(space, options.n or 50, options.seed)), options)
        return _conclude(measure(given), options)


def _check(options: ProfileOptions) -> None:
    """Refuse options that exclude each other, or that would be ignored."""
    given = changed(options)
    sources = [flag for flag in ("--space", "--archs", "--model") if flag in given]
    if len(sources) != 1:
        got = " and ".join(sources) or "none"
        raise ValueError(f"Give one of --space, --archs and --model. Got {got}.")
    if len(options.host) > 1:
        given[_SEVERAL_HOSTS] = f"{len(options.host)}: {options.host}"
    refuse(_REFUSALS, given)
    inputs = [x for x in (options.model, options.archs, options.reference) if x is not None]
    for each in inputs:
        require_file(each)
    require_output(options.log, *inputs)
    if twice := sorted({each for each in options.host if options.host.count(each) > 1}):
        raise ValueError(f"'--host' must name each machine once. Got {twice[0]} again.")


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
        "fresh": None if outcome.fresh is None else asdict(outcome.fresh),
        "is_reached": outcome.is_reached,
        "reason": outcome.reason,
    }
    code = _conclude(outcome.summary, options, detail)
    return code if code or outcome.is_reached else ExitCode.QUALITY


def _measure_model(
    model: Path, options: ProfileOptions, device: Device, protocol: "Protocol"
) -> "ProfileSummary":
    # onnx takes a moment to import
    from automoe.latency.model_profiling import ModelInputs, profile_model

    with progress_bar("Profile") as on_progress:
        return profile_model(
            model,
            point_id=_point_id(model),
            inputs=ModelInputs(options.grids(), options.values()),
            device=device,
            protocol=protocol,
            log=options.log,
            on_progress=on_progress,
            on_note=say,
        )


def _point_id(model: Path) -> str:
    """Return the identity of a file in a log: its name and its content."""
    with model.open("rb") as file:
        return f"{model.stem}-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def _rows_of(model: Path, log: Path) -> list[dict[str, str]]:
    """Return the rows of a model by its sizes; the log has them in the order of measuring."""
    # onnx and scipy take a moment to import
    from automoe.latency.model_profiling import SIZE
    from profilers import read_log

    rows = read_log(log) if log.exists() else []
    own = [row for row in rows if row["point_id"].startswith(_point_id(model))]
    return sorted(own, key=lambda row: [int(row[x]) for x in row if x.startswith(SIZE)])


def _say_disturbed(summary: "ProfileSummary", options: ProfileOptions) -> None:
    """Tell that no row is sound, what the flags mean, and what to do next."""
    n = summary.n_measured
    subject = {1: "The row is", 2: "Both rows are"}.get(n, f"All {n} rows are")
    say(f"{subject} disturbed; do not trust the latencies.")
    for line in flag_lines(summary.flags):
        say(f"  {line}")
    host = f" --host {options.host[0]}" if options.host else ""
    say(f"Next: automoe doctor --device {options.device}{host}; then measure into another --log.")


def _conclude(
    summary: "ProfileSummary", options: ProfileOptions, detail: Mapping[str, Any] | None = None
) -> ExitCode:
    for repaired in summary.repaired:
        say(repaired)
    for failed in summary.failed:
        reason = " ".join(failed.reason.split())
        say(f"{failed.point_id} could not be measured: {reason}")
    rows = [] if options.model is None else _rows_of(options.model, options.log)
    if options.as_json:
        of_model = {} if options.model is None else {"rows": list(map(row_values, rows))}
        print_json({**asdict(summary), **(detail or {}), **of_model, "log": str(options.log)})
    else:
        quality = ", ".join(f"{count} {letter}" for letter, count in summary.quality.items())
        detailed = f" (quality {quality}; {summary.n_flagged} flagged)" if quality else ""
        print(
            f"{options.log}: {summary.n_measured} measured{detailed}, "
            f"{summary.n_skipped} there before, {len(summary.failed)} failed"
        )
        if detail:
            print(detail["reason"])
        if rows:
            print_rows(rows)
    if summary.n_measured and summary.n_disturbed == summary.n_measured:
        _say_disturbed(summary, options)
    return ExitCode.PARTIAL if summary.failed else ExitCode.OK
