"""``automoe profile``."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.architecture.architecture import Architecture
from automoe.cli.architectures import Fractional, MaxExperts, draw_distinct
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.input_shape import parse_input_shape
from automoe.cli.opened_device import LockClocks, Runtime, opened_device
from automoe.cli.share import parse_share
from devices import Device
from devices.runtimes import ONNXRUNTIME

if TYPE_CHECKING:
    from automoe.architecture.space import SearchSpace
    from automoe.architecture.workload import TranslationWorkload
    from automoe.latency.profiling import ProfileSummary
    from profilers import Protocol

_LENGTH = "Default: the space's; with --archs 30."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile")(profile)


def profile(
    device: Annotated[str, typer.Option("--device", help="See 'automoe devices'.")],
    log: Annotated[Path, typer.Option("--log", help="CSV to append to; resumes by default.")],
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            help="Where it is: user@board, over SSH, or a name of devices.yaml; several alike "
            "share the work.",
        ),
    ] = None,
    runtime: Runtime = ONNXRUNTIME,
    space: Annotated[
        str | None, typer.Option("--space", help="Preset or file to sample from.")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("-n", min=1, help="Architectures to sample, 50; with --until at most, 200."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop when a predictor errs by less: 3%.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, help="With --until: stop after these.")
    ] = None,
    archs: Annotated[
        Path | None, typer.Option("--archs", help="Architectures to measure instead.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Any ONNX file to measure instead.")
    ] = None,
    input_shape: Annotated[
        list[str] | None, typer.Option("--input-shape", help="Of the model: name=1x30.")
    ] = None,
    max_experts: MaxExperts = None,
    fractional: Fractional = None,
    beam: Annotated[int, typer.Option(min=1, help="Hypotheses extended together.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Sentences translated together.")] = 1,
    routing: Annotated[
        str, typer.Option(help="balanced, worst, best, skewed:ALPHA or trace:FILE.")
    ] = "balanced",
    precision: Annotated[str, typer.Option(help="fp32 or int8; tensorrt: or fp16.")] = "fp32",
    src_len: Annotated[int | None, typer.Option(min=1, help=_LENGTH)] = None,
    tgt_len: Annotated[int | None, typer.Option(min=1, help=_LENGTH)] = None,
    vocab_size: Annotated[
        int | None, typer.Option(min=5, help="Default: the space's; with --archs 32768.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of the runtime.")] = 1,
    fast: Annotated[bool, typer.Option("--fast", help="A 5 % interval instead of 2 %.")] = False,
    target: Annotated[
        str | None, typer.Option("--target", help="Half-width of the interval; default: 2%.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=2, help="Most blocks of each; default: 6.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Log to whose machine level to correct.")
    ] = None,
    lock_clocks: LockClocks = False,
    seed: Annotated[int, typer.Option(min=0, help="Of sampling and order.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Measure architectures or a model on a device; the same command resumes."""
    given = [name for name, x in (("--space", space), ("--archs", archs), ("--model", model)) if x]
    if len(given) != 1:
        raise ValueError(f"Give one of --space, --archs and --model. Got {given or 'none'}.")
    of_sentences = {
        **{"--max-experts": max_experts, "--fractional": fractional, "-n": n, "--until": until},
        **{"--beam": beam > 1, "--batch": batch > 1, "--routing": routing != "balanced"},
        **{"--precision": precision != "fp32", "--reference": reference},
        **{"--src-len": src_len, "--tgt-len": tgt_len, "--vocab-size": vocab_size},
    }
    _refuse_with("--model", model, of_sentences)
    _refuse_with(
        "--archs", archs, {"-n": n, "--max-experts": max_experts, "--fractional": fractional}
    )
    if model is None and input_shape:
        raise ValueError(f"'--input-shape' is for '--model'. Got {input_shape} with {given[0]}.")
    if until is not None and space is None:
        raise ValueError("'--until' chooses architectures itself: give '--space' with it.")
    if host and len(host) > 1 and model is not None:
        raise ValueError(f"'--model' is measured on one host. Got {len(host)}: {host}.")
    if twice := sorted({each for each in host or [] if (host or []).count(each) > 1}):
        raise ValueError(f"'--host' must name each machine once. Got {twice[0]} again.")
    if minutes is not None and until is None:
        raise ValueError("'--minutes' is the limit of '--until': give both.")
    goal = None if until is None else parse_share(until, "--until")
    from automoe.architecture.files import read_architectures
    from automoe.architecture.space import SearchSpace
    from profilers import Protocol  # scipy takes a moment to import

    protocol = (Protocol.fast if fast else Protocol)(threads=threads, seed=seed)
    if target is not None:
        protocol = replace(protocol, target_half_width=parse_share(target, "--target"))
    if rounds is not None:
        least = min(rounds, protocol.min_rounds)
        protocol = replace(protocol, min_rounds=least, max_rounds=rounds)
    hosts: list[str | None] = [*host] if host else [None]
    with ExitStack() as opened:
        plugin, *more = [
            opened.enter_context(opened_device(device, each, runtime, holds_clocks=lock_clocks))
            for each in hosts
        ]
        if model is not None:
            summary = _measure_model(model, input_shape or [], plugin, protocol, log)
        else:
            source = (
                SearchSpace.load(space, max_experts=max_experts, fractional=fractional)
                if space
                else None
            )
            sizes = {"src_len": src_len, "tgt_len": tgt_len, "vocab_size": vocab_size}
            workload = _workload(
                source, sizes, beam=beam, batch=batch, routing=routing, precision=precision
            )
            measure = partial(
                _measure,
                space=source,
                workload=workload,
                device=plugin,
                more_devices=more,
                protocol=protocol,
                log=log,
                reference=reference,
            )
            if source is not None and goal is not None:
                limits = {"mape": goal, "most": n or 200, "minutes": minutes}
                _measure_until(
                    limits, source, workload, log=log, measure=measure, seed=seed, as_json=as_json
                )
                return
            chosen = (
                draw_distinct(source, n or 50, seed)
                if source
                else read_architectures(archs or Path())
            )
            summary = measure(chosen)
        _conclude(summary, log, as_json=as_json)


def _refuse_with(source: str, given: Path | None, options: Mapping[str, object]) -> None:
    """Refuse options that would be ignored."""
    ignored = [name for name, value in options.items() if value not in (None, False)]
    if given is not None and ignored:
        raise ValueError(
            f"{', '.join(map(repr, ignored))} cannot be combined with '{source}'. Leave out one."
        )


def _workload(
    space: "SearchSpace | None",
    sizes: Mapping[str, int | None],
    *,
    beam: int,
    batch: int,
    routing: str,
    precision: str,
) -> "TranslationWorkload":
    from automoe.architecture.routing_pattern import RoutingPattern
    from automoe.architecture.workload import TranslationWorkload

    pattern = RoutingPattern.open(routing)
    lengths = (space.src_len, space.tgt_len, space.vocab_size) if space else (30, 30, 32768)
    return TranslationWorkload(
        src_len=sizes["src_len"] or lengths[0],
        tgt_len=sizes["tgt_len"] or lengths[1],
        vocab_size=sizes["vocab_size"] or lengths[2],
        shared_embeddings=space.shared_embeddings if space else True,
        beam=beam,
        batch=batch,
        routing=pattern,
        precision=precision,
    )


def _measure(
    architectures: Sequence[Architecture],
    *,
    space: "SearchSpace | None",
    workload: "TranslationWorkload",
    device: Device,
    more_devices: Sequence[Device],
    protocol: "Protocol",
    log: Path,
    reference: Path | None,
) -> "ProfileSummary":
    from automoe.latency.profiling import profile_architectures  # onnx takes a moment to import

    with progress_bar("Profile") as on_progress:
        return profile_architectures(
            architectures,
            device=device,
            protocol=protocol,
            workload=workload,
            log=log,
            graphs=log.with_name(f"{log.name}.graphs"),
            space=space,
            reference=reference,
            more_devices=more_devices,
            on_progress=on_progress,
            on_lost=say,
        )


def _measure_until(
    limits: Mapping[str, Any],
    space: "SearchSpace",
    workload: "TranslationWorkload",
    *,
    log: Path,
    measure: "Callable[[Sequence[Architecture]], ProfileSummary]",
    seed: int,
    as_json: bool,
) -> None:
    from automoe.latency.active_profiling import Goal, profile_until  # scikit-learn takes seconds

    outcome = profile_until(Goal(**limits), space, workload, log=log, measure=measure, seed=seed)
    detail = {
        "n_rows": outcome.n_rows,
        "mape": outcome.mape,
        "is_reached": outcome.is_reached,
        "reason": outcome.reason,
    }
    _conclude(outcome.summary, log, as_json=as_json, detail=detail)
    if not outcome.is_reached:
        raise typer.Exit(ExitCode.QUALITY)


def _measure_model(
    model: Path, shapes: list[str], device: Device, protocol: "Protocol", log: Path
) -> "ProfileSummary":
    from automoe.latency.profiling import profile_model  # onnx takes a moment to import

    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    with progress_bar("Profile") as on_progress:
        return profile_model(
            model,
            point_id=f"{model.stem}-{digest}",
            input_shapes=dict(map(parse_input_shape, shapes)),
            device=device,
            protocol=protocol,
            log=log,
            on_progress=on_progress,
        )


def _conclude(
    summary: "ProfileSummary",
    log: Path,
    *,
    as_json: bool,
    detail: Mapping[str, Any] | None = None,
) -> None:
    for repaired in summary.repaired:
        say(repaired)
    for failed in summary.failed:
        say(f"{failed.point_id} could not be measured: {failed.reason}")
    if as_json:
        print_json({**asdict(summary), **(detail or {}), "log": str(log)})
    else:
        grades = ", ".join(f"{count} {grade}" for grade, count in summary.quality.items())
        graded = f" (quality {grades}; {summary.n_flagged} flagged)" if grades else ""
        print(
            f"{log}: {summary.n_measured} measured{graded}, "
            f"{summary.n_skipped} there before, {len(summary.failed)} failed"
        )
        if detail:
            print(detail["reason"])
    if summary.failed:
        raise typer.Exit(ExitCode.PARTIAL)
