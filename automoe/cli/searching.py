"""``automoe search``."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.cli.console import print_json, say
from automoe.cli.dependent_options import require_option
from automoe.cli.exits import ExitCode
from automoe.cli.opened_device import Host, LockClocks, opened_device
from automoe.cli.outputs import require_writable
from automoe.cli.text_options import Source, Target, model_text
from devices import opening
from devices.runtimes import ONNXRUNTIME

if TYPE_CHECKING:
    from automoe.search import Fitness, SearchSettings
    from automoe.space import SearchSpace
    from automoe.text import Corpus


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    supernet: Annotated[Path, typer.Option("--supernet", help="Run of 'automoe train'.")],
    predictor: Annotated[Path, typer.Option("--predictor", help="File of 'automoe fit'.")],
    budget_ms: Annotated[float, typer.Option("--budget-ms", help="Latency not to exceed.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Result, a JSON file.")],
    confidence: Annotated[float, typer.Option(help="Of the predictor's upper bound.")] = 0.95,
    device: Annotated[
        str | None, typer.Option("--device", help="Measure the winner there.")
    ] = None,
    host: Host = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Text to validate on; default: the supernet's.")
    ] = None,
    source: Source = None,
    target: Target = None,
    generations: Annotated[int, typer.Option(min=1)] = 30,
    population: Annotated[int, typer.Option(min=1)] = 125,
    parents: Annotated[int, typer.Option(min=1)] = 25,
    mutants: Annotated[int, typer.Option(min=0)] = 50,
    crossovers: Annotated[int, typer.Option(min=0)] = 50,
    mutation_probability: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    random: Annotated[
        bool, typer.Option("--random", help="Draw all candidates at random, as the baseline.")
    ] = False,
    max_flops: Annotated[float | None, typer.Option(help="Of one sentence.")] = None,
    max_params: Annotated[float | None, typer.Option(help="Without the embeddings.")] = None,
    max_active_params: Annotated[float | None, typer.Option(help="That a token uses.")] = None,
    max_memory_mb: Annotated[float | None, typer.Option(help="All weights in float32.")] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="All trade-offs of loss and latency, by NSGA-II.")
    ] = False,
    halvings: Annotated[
        int, typer.Option(min=0, help="Drop the worse half so often before all text is read.")
    ] = 0,
    objective: Annotated[
        str,
        typer.Option(help="loss, bleu, or MODULE:FUNCTION; less is better."),
    ] = "loss",
    verify_top: Annotated[
        int | None, typer.Option(min=1, help="With --device: measured together; default: 5.")
    ] = None,
    verify_most: Annotated[
        int | None, typer.Option(min=1, help="With --device: measured in all; default: 20.")
    ] = None,
    device_minutes: Annotated[
        float | None,
        typer.Option(help="With --device: no more is measured after these; default: 30."),
    ] = None,
    lock_clocks: LockClocks = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that evaluate.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="ray, ray://HOST:PORT or dask://HOST:PORT, which evaluates.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result.")] = False,
) -> None:
    """Find the best architecture within a latency budget; exit 6 when none can fit."""
    measuring = {
        "verify_top": verify_top,
        "verify_most": verify_most,
        "device_minutes": device_minutes,
    }
    given = {name: value for name, value in measuring.items() if value is not None}
    require_option("--device", device, {"host": host, "lock_clocks": lock_clocks or None, **given})
    require_option("--data", data, {"source": source, "target": target})
    if data is not None and objective not in ("loss", "bleu"):
        raise ValueError(
            f"'--data' is read by the objectives loss and bleu. Got '{objective}'; leave it out."
        )
    # torch takes seconds to import
    from pydantic import ValidationError

    from automoe.budget import survey
    from automoe.cli.prepared_search import PreparedSearch
    from automoe.latency_model import LatencyModel
    from automoe.model_folder import TrainedModel
    from automoe.search import (
        Evaluator,
        FitnessCache,
        SearchSettings,
        feasibility_of,
        front_of,
        workers,
        write_result,
    )
    from automoe.validation import explain

    try:
        settings = SearchSettings(
            budget_ms=budget_ms,
            confidence=confidence,
            generations=generations,
            population=population,
            parents=parents,
            mutants=mutants,
            crossovers=crossovers,
            mutation_probability=mutation_probability,
            random=random,
            max_flops=max_flops,
            max_params=max_params,
            max_active_params=max_active_params,
            max_memory_mb=max_memory_mb,
            pareto=pareto,
            halvings=halvings,
            seed=seed,
            **given,
        )
    except ValidationError as error:
        raise ValueError(explain(error)) from None
    require_writable(out)
    # Better no device now than after the search, which leaves it to others until it measures.
    info = None
    if device is not None:
        with opened_device(device, host, is_measured=False) as found_device:
            info = found_device.info()
    latency = LatencyModel.open(predictor)
    _, space = TrainedModel.load_supernet(supernet)
    corpus = model_text(supernet, data, source, target)
    fitness = _fitness(objective, supernet, corpus, halvings=halvings)
    # More time on the device is no other search.
    asked = settings.model_dump_json(exclude={"verify_top", "verify_most", "device_minutes"})
    values = [getattr(x, "digest", None) or getattr(x, "source_digest", "") for x in fitness]
    what = f"{asked} {objective} {values}"
    fingerprint = _fingerprint(what, predictor, supernet)
    feasibility = survey(
        space, partial(latency.upper_ms, confidence=confidence), seed=settings.seed
    )
    preflight = feasibility_of(feasibility, latency, confidence)
    say(_preflight_line(preflight, settings, space, is_slack=feasibility.is_slack(budget_ms)))
    cache = FitnessCache(supernet / "fitness.jsonl")
    with workers(jobs, cluster) as found:
        evaluator = Evaluator(*fitness, cache=cache, workers=found)
        prepared = PreparedSearch(
            space=space,
            settings=settings,
            latency=latency,
            evaluator=evaluator,
            objective=objective,
            fingerprint=fingerprint,
            out=out,
        )
        if device is None or info is None:
            outcome, measured, result = prepared.predicted()
        else:
            measured_with = latency.predictor.conditions.get("runtime", ONNXRUNTIME)
            opened = partial(
                opening.opened_device,
                device,
                host,
                measured_with.split()[0],
                say=say,
                holds_clocks=lock_clocks,
            )
            outcome, measured, result = prepared.certified(opened, info)
        if pareto:
            result |= front_of(
                outcome,
                space=space,
                evaluator=evaluator,
                budget_ms=budget_ms,
                measured=measured,
            )
    result["feasibility"] = preflight
    write_result(out, result)
    if as_json:
        print_json(result)
    else:
        bounds = result["latency_ms"]
        print(
            f"{out}: {result['architecture_id']}, predicted {bounds['predicted']:.4g} ms "
            f"(at most {bounds['upper']:.4g}), {objective} {result['fitness']:.4f}; "
            f"{'certified' if result['certified'] else 'not certified'}: {result['reason']}"
        )
    if device is not None and not result["certified"]:
        raise typer.Exit(ExitCode.QUALITY)


def _fitness(
    objective: str, supernet: Path, corpus: "Corpus", *, halvings: int
) -> "Sequence[Fitness]":
    """What the search minimises, one for each stage of halving."""
    from automoe.search import BleuFitness, ImportedFitness, supernet_fitness

    if objective == "loss":
        return supernet_fitness(supernet, corpus, halvings)
    if halvings:
        raise ValueError(
            f"'--halvings' needs the objective loss, which can read less text. Got '{objective}'."
        )
    if objective == "bleu":
        return [BleuFitness(supernet, corpus)]
    return [ImportedFitness(objective)]


def _preflight_line(
    preflight: dict[str, Any], settings: "SearchSettings", space: "SearchSpace", *, is_slack: bool
) -> str:
    """What the space offers, for a person."""
    shown = ", ".join(
        f"{name} {row['predicted_ms']:.4g} ms ({row['lower_ms']:.4g} to {row['upper_ms']:.4g})"
        for name, row in preflight.items()
    )
    line = f"Predicted latencies of '{space.name}': {shown}."
    if is_slack:
        limits = ("max_flops", "max_params", "max_active_params", "max_memory_mb")
        is_limited = any(getattr(settings, name) is not None for name in limits)
        line += (
            f" The budget of {settings.budget_ms:g} ms excludes nothing seen: what is returned is "
            f"the best {'within the other limits' if is_limited else 'of the whole space'}, at "
            f"most {preflight['largest']['upper_ms']:.4g} ms."
        )
    return line


def _fingerprint(settings: str, predictor: Path, supernet: Path) -> str:
    digest = hashlib.sha256(settings.encode())
    for path in (predictor, supernet / "model.safetensors"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
