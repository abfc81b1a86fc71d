"""``automoe search``."""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from automoe.cli.console import print_json, say
from automoe.cli.exits import ExitCode
from automoe.cli.opened_device import Host, LockClocks, opened_device
from automoe.cli.options import JsonOptions, Out, Positive, typed
from automoe.cli.outputs import require_writable
from automoe.cli.refusals import Refusal, refuse
from automoe.cli.text_options import DIRECTION_NEEDS_DATA, TextOptions, model_text
from automoe.settings.search import SearchSettings
from devices import opening
from devices.runtimes import ONNXRUNTIME, RUNTIMES

if TYPE_CHECKING:
    from automoe.search import Fitness
    from automoe.text import Corpus

_OF_TEXT = ("loss", "bleu")


class SearchOptions(TextOptions, JsonOptions):
    """What is searched with, and where the result goes.

    Attributes:
        supernet: Run of 'automoe train'.
        predictor: File of 'automoe fit'.
        out: Result, a JSON file.
        device: Measure the winner there.
        data: Text to validate on; default: the supernet's.
        objective: loss, bleu, or MODULE:FUNCTION; less is better.
        routing: trace:FILE, where the predictor's log was measured with a trace.
        jobs: Processes that evaluate.
        cluster: ray, ray://HOST:PORT or dask://HOST:PORT, which evaluates.
        as_json: Print the result.
    """

    supernet: Path
    predictor: Path
    out: Out
    device: str | None = None
    host: Host = None
    objective: str = "loss"
    lock_clocks: LockClocks = False
    routing: str | None = None
    jobs: Positive = 1
    cluster: str | None = None


_REFUSALS = (
    Refusal(
        options=("--host", "--lock-clocks", "--verify-top", "--verify-most", "--device-minutes"),
        without=("--device",),
    ),
    DIRECTION_NEEDS_DATA,
)


def search(
    *,
    options: SearchOptions,
    settings: Annotated[SearchSettings, Parameter(name="*", group="Search settings")],
) -> ExitCode:
    """Find the best architecture within a latency budget; exit 6 when none can fit."""
    refuse(_REFUSALS, typed(options, settings))
    device, host, out, objective = options.device, options.host, options.out, options.objective
    supernet, predictor, budget_ms = options.supernet, options.predictor, settings.budget_ms
    lock_clocks = options.lock_clocks
    if options.data is not None and objective not in _OF_TEXT:
        raise ValueError(
            f"'--data' is read by the objectives loss and bleu. Got '{objective}'; leave it out."
        )
    # torch takes seconds to import
    from automoe.cli.prepared_search import PreparedSearch
    from automoe.cli.search_inputs import (
        require_same_vocabulary,
        warn_of_another_space,
        with_trace,
    )
    from automoe.latency.model import LatencyModel
    from automoe.search import (
        Evaluator,
        FitnessCache,
        feasibility_of,
        front_of,
        preflight_line,
        search_fingerprint,
        surveyed,
        workers,
        write_result,
    )
    from automoe.training.model_folder import TrainedModel

    require_writable(out, predictor, supernet)
    if device is None:
        _require_no_certificate(out)
    latency = with_trace(
        LatencyModel.open(predictor), options.routing, is_measured=device is not None
    )
    runtime = _runtime(latency.predictor.conditions.get("runtime", ""))
    # Better no device now than after the search, which leaves it to others until it measures.
    info = None
    if device is not None:
        with opened_device(
            device, host, runtime, is_measured=lock_clocks, holds_clocks=lock_clocks
        ) as found_device:
            info = found_device.info()
    _, space = TrainedModel.load_supernet(supernet)
    require_same_vocabulary(latency.workload, space)
    text = model_text(supernet, options) if objective in _OF_TEXT else None
    fitness = _fitness(objective, supernet, text, halvings=settings.halvings)
    warn_of_another_space(latency, space)
    feasibility = surveyed(space, settings, latency)
    preflight = feasibility_of(feasibility, latency, settings.confidence)
    say(preflight_line(preflight, settings, space, is_slack=feasibility.is_slack(budget_ms)))
    cache = FitnessCache(_cache_path(supernet, out))
    with workers(options.jobs, options.cluster) as found:
        evaluator = Evaluator(*fitness, cache=cache, workers=found)
        prepared = PreparedSearch(
            space=space,
            settings=settings,
            latency=latency,
            evaluator=evaluator,
            objective=objective,
            fingerprint=search_fingerprint(
                settings, fitness, predictor=predictor, supernet=supernet
            ),
            out=out,
        )
        if device is None or info is None:
            outcome, measured, result = prepared.predicted()
        else:
            opened = partial(
                opening.opened_device,
                device,
                host,
                runtime,
                say=say,
                holds_clocks=lock_clocks,
            )
            outcome, measured, result = prepared.certified(opened, info, runtime)
        if settings.pareto:
            result |= front_of(
                outcome,
                space=space,
                evaluator=evaluator,
                budget_ms=budget_ms,
                measured=measured,
            )
    result["n_evaluated"] = outcome.n_evaluated
    result["predicted_on"] = latency.predictor.conditions
    result["feasibility"] = preflight
    write_result(out, result)
    if options.as_json:
        print_json(result)
    else:
        bounds = result["latency_ms"]
        print(
            f"{out}: {result['architecture_id']}, predicted {bounds['predicted']:.4g} ms "
            f"(at most {bounds['upper']:.4g}), {objective} {result['fitness']:.4f}; "
            f"{'certified' if result['certified'] else 'not certified'}: {result['reason']}"
        )
    is_refused = device is not None and not result["certified"]
    return ExitCode.QUALITY if is_refused else ExitCode.OK


def _fitness(
    objective: str, supernet: Path, text: "Corpus | None", *, halvings: int
) -> "Sequence[Fitness]":
    """What the search minimises, one for each stage of halving; some of it reads text."""
    from automoe.search import BleuFitness, ImportedFitness, supernet_fitness

    if objective == "loss" and text is not None:
        return supernet_fitness(supernet, text, halvings)
    if halvings:
        raise ValueError(
            f"'--halvings' needs the objective loss, which can read less text. Got '{objective}'."
        )
    if objective == "bleu" and text is not None:
        return [BleuFitness(supernet.absolute(), text.absolute())]
    return [ImportedFitness(objective)]


def _runtime(measured_with: str) -> str:
    """The runtime of a log such as ``tensorrt 10.3.0``; what none has, a simulation, needs none."""
    name = measured_with.partition(" ")[0]
    return name if name in RUNTIMES else ONNXRUNTIME


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
