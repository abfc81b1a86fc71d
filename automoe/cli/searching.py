"""``automoe search``."""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.dependent_options import require_option
from automoe.cli.exits import ExitCode
from automoe.cli.opened_device import Host, LockClocks, opened_device
from automoe.cli.outputs import require_writable
from automoe.cli.text_options import Source, Target, model_text
from devices import opening

if TYPE_CHECKING:
    from automoe.search import SearchSettings, TargetDevice


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
    routing: Annotated[
        str | None,
        typer.Option(help="trace:FILE, where the predictor's log was measured with a trace."),
    ] = None,
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
    require_option(
        "--device", device, {"host": host, "lock_clocks": lock_clocks or None, **measuring}
    )
    require_option("--data", data, {"source": source, "target": target})
    # torch takes seconds to import
    from automoe.cli.search_inputs import require_same_vocabulary, with_trace
    from automoe.latency.model import LatencyModel
    from automoe.search import (
        OF_TEXT,
        SearchFiles,
        SearchRequest,
        objective_fitness,
        preflight_check,
        run_search,
        runtime_of,
        write_result,
    )
    from automoe.training.model_folder import TrainedModel

    if data is not None and objective not in OF_TEXT:
        raise ValueError(
            f"'--data' is read by the objectives loss and bleu. Got '{objective}'; leave it out."
        )
    settings = _settings(
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
    require_writable(out, predictor, supernet)
    if device is None:
        _require_no_certificate(out)
    latency = with_trace(LatencyModel.open(predictor), routing, is_measured=device is not None)
    # Better no device now than after the search, which leaves it to others until it measures.
    measures = (
        None
        if device is None
        else _target(device, host, runtime_of(latency), lock_clocks=lock_clocks)
    )
    _, space = TrainedModel.load_supernet(supernet)
    require_same_vocabulary(latency.workload, space)
    text = model_text(supernet, data, source, target) if objective in OF_TEXT else None
    request = SearchRequest(
        space=space,
        settings=settings,
        latency=latency,
        objective=objective,
        fitness=objective_fitness(objective, supernet, text, halvings=halvings),
        predictor=predictor,
        supernet=supernet,
        files=SearchFiles.beside(out, fitness=_cache_path(supernet, out)),
        jobs=jobs,
        cluster=cluster,
    )
    info = None if measures is None else measures.info
    preflight = preflight_check(space, settings, latency, info=info, say=say)
    _, result = run_search(request, preflight=preflight, target=measures, stage=progress_bar)
    write_result(out, result)
    if as_json:
        print_json(result)
    else:
        print(f"{out}: {_summary(result)}")
    if device is not None and not result["certified"]:
        raise typer.Exit(ExitCode.QUALITY)


def _settings(**given: Any) -> "SearchSettings":
    """Return the settings of the options; a value out of range is bad input."""
    from pydantic import ValidationError

    from automoe.search import SearchSettings
    from automoe.validation import explain

    try:
        return SearchSettings(**given)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def _target(device: str, host: str | None, runtime: str, *, lock_clocks: bool) -> "TargetDevice":
    """Look whether the device is there, and return how it is opened when it is to measure."""
    from automoe.search import TargetDevice

    with opened_device(
        device, host, runtime, is_measured=lock_clocks, holds_clocks=lock_clocks
    ) as reached:
        info = reached.info()
    opened = partial(
        opening.opened_device, device, host, runtime, say=say, holds_clocks=lock_clocks
    )
    return TargetDevice(opened=opened, info=info)


def _summary(result: Mapping[str, Any]) -> str:
    """Return one line for a person."""
    bounds = result["latency_ms"]
    return (
        f"{result['architecture_id']}, predicted {bounds['predicted']:.4g} ms "
        f"(at most {bounds['upper']:.4g}), {result['objective']} {result['fitness']:.4f}; "
        f"{'certified' if result['certified'] else 'not certified'}: {result['reason']}"
    )


def _require_no_certificate(out: Path) -> None:
    """A prediction does not take the place of what was measured."""
    try:
        is_certified = json.loads(out.read_text(encoding="utf-8"))["certified"]
    except (OSError, KeyError, TypeError, ValueError):
        return
    if is_certified is True:
        raise ValueError(
            f"'{out}' holds a certified result, and without '--device' this search would replace "
            "it by a prediction. Give --device, choose another output, or delete it."
        )


def _cache_path(supernet: Path, out: Path) -> Path:
    """Beside the supernet, for every search of it; beside the result where that is read-only."""
    path = supernet / "fitness.jsonl"
    if os.access(path if path.exists() else supernet, os.W_OK):
        return path
    beside = out.with_name(f"{out.name}.fitness.jsonl")
    say(f"'{supernet}' is read-only: fitnesses are kept in '{beside}' for this result alone.")
    return beside
