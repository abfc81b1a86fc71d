"""This module makes the tasks that search, and those that translate with inherited weights."""

import hashlib
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paper_claim.baselines import baseline
from paper_claim.clock import Clock
from paper_claim.config import BASELINES, Experiment, Method, asked_fields
from paper_claim.tasks import Task, read_result
from paper_claim.trainings import (
    budget_name,
    require_supernet,
    search_name,
    supernet_digest,
    test_text,
    translator,
)
from paper_claim.translations import scored

from automoe.architecture.architecture import Architecture
from automoe.export import export_model
from automoe.latency.infeasible_budget import InfeasibleBudgetError
from automoe.latency.model import LatencyModel
from automoe.search import (
    SearchFiles,
    SearchRequest,
    SearchSettings,
    objective_fitness,
    preflight_check,
    run_search,
)
from automoe.search.fitness.validation import loaded_supernet
from automoe.supernet.extract import extract
from devices.remote.host import say_nothing
from predictors import fit_log

_DIGITS = 6  # of a budget


def fitted(experiment: Experiment) -> LatencyModel:
    """Return the latency predictor, which is fitted to the profile log when it is missing."""
    if not experiment.predictor.exists():
        log = experiment.results / "profile.csv"
        fit_log(log, seed=experiment.config.seed).save(experiment.predictor)
    return LatencyModel.open(experiment.predictor)


def predictor_task(experiment: Experiment) -> Task:
    """Return the task that fits the predictor and predicts the architecture that budgets are of."""
    log = experiment.results / "profile.csv"
    asked = {
        "log_sha256": hashlib.sha256(log.read_bytes()).hexdigest(),
        "seed": experiment.config.seed,
    }
    return Task(experiment, "", "predictor", asked, _fitted)


def _fitted(task: Task, clock: Clock) -> dict[str, Any]:
    experiment, space = task.experiment, task.experiment.config.space
    experiment.predictor.unlink(missing_ok=True)  # it may be of another log
    architectures = {
        "manual": baseline("manual", space),
        "smallest": space.smallest(),
        "largest": space.largest(),
    }
    bounds = fitted(experiment).predict(list(architectures.values()))
    return dict(zip(architectures, bounds.to_dict("records"), strict=True))


def search_tasks(experiment: Experiment) -> list[Task]:
    """Return the searches of every method at every budget."""
    search = experiment.config.search
    tasks = []
    for share in search.budgets:
        limits = _limits(experiment, share)
        for method in search.methods:
            is_repeated = method.repeated and share == search.main
            for seed in search.seeds if is_repeated else search.seeds[:1]:
                name = search_name(method.name, budget_name(share), seed)
                tasks.append(_search_task(experiment, name, method, limits, seed))
    return tasks


def remedy_tasks(experiment: Experiment) -> list[Task]:
    """Return the searches with other settings of the evolution, at the main budget."""
    search = experiment.config.search
    limits = _limits(experiment, search.main)
    return [
        _search_task(
            experiment,
            search_name(remedy.name, budget_name(search.main), seed),
            search.method(remedy.of),
            {**remedy.changes, **limits},
            seed,
        )
        for remedy in search.remedies
        for seed in search.seeds
    ]


def _limits(experiment: Experiment, share: float) -> dict[str, float]:
    """Return the limits of the searches at a budget."""
    search = experiment.config.search
    predicted_ms = read_result(experiment.results / "predictor.json")["manual"]["predicted_ms"]
    limits = {"budget_ms": _rounded(share * predicted_ms)}
    if share == search.main and search.main_flops is not None:
        manual = baseline("manual", experiment.config.space)
        flops = experiment.config.workload.cost(manual).flops
        limits["max_flops"] = _rounded(search.main_flops * flops)
    return limits


def parity_tasks(experiment: Experiment) -> list[Task]:
    """Return the searches for architectures that cost less than the winner of another method.

    The searches at the main budget are done.
    """
    search = experiment.config.search
    if search.parity is None:
        return []
    seed = search.seeds[0]
    name = search_name(search.parity.of, budget_name(search.main), seed)
    winner = read_result(experiment.results / "search" / f"{name}.json")
    if "infeasible" in winner:
        return []
    limits = {
        "budget_ms": _rounded(search.parity.latency * winner["latency_ms"]["predicted"]),
        "max_flops": _rounded(search.parity.flops * winner["flops"]),
    }
    return [
        _search_task(
            experiment, search_name(name, "parity", seed), search.method(name), limits, seed
        )
        for name in search.parity.methods
    ]


def _search_task(
    experiment: Experiment, name: str, method: Method, changes: dict[str, Any], seed: int
) -> Task:
    evolution = asked_fields(experiment.config.search.evolution)
    if method.random:  # no draw of it is a child
        evolution.pop("prescreen", None)
    asked = {
        "method": asked_fields(method),
        "settings": {**evolution, **changes, "random": method.random, "seed": seed},
        "supernet": supernet_digest(experiment),
    }
    return Task(experiment, "search", name, asked, _searched)


def _searched(task: Task, clock: Clock) -> dict[str, Any]:
    experiment, asked = task.experiment, task.asked
    require_supernet(experiment)
    space = experiment.config.space_of(asked["method"]["kind"])
    settings = SearchSettings(**asked["settings"])
    request = SearchRequest(
        space=space,
        settings=settings,
        latency=fitted(experiment),
        objective="loss",
        fitness=objective_fitness("loss", experiment.supernet, experiment.corpus),
        predictor=experiment.predictor,
        supernet=experiment.supernet,
        files=SearchFiles.beside(
            task.folder / "result.json", fitness=experiment.work / "fitness.jsonl"
        ),
        jobs=1,  # several searches run side by side, and seconds are those of one process
    )
    try:
        preflight = preflight_check(space, settings, request.latency, say=say_nothing)
        searched, result = run_search(
            request, preflight=preflight, stage=lambda title: nullcontext(clock)
        )
    except InfeasibleBudgetError as error:
        return {"infeasible": str(error)}
    candidates = [
        [each.generation, round(each.loss, _DIGITS), round(each.upper_ms, _DIGITS)]
        for each in searched.outcome.candidates
    ]
    return {**result, "candidates": candidates}


def inherited_tasks(experiment: Experiment) -> list[Task]:
    """Return the translations of every winner and baseline with the supernet's weights."""
    tasks = []
    for architecture in dict.fromkeys(chosen(experiment).values()):
        asked = {
            "architecture": architecture.to_dict(),
            "supernet": supernet_digest(experiment),
            "evaluate": asked_fields(experiment.config.evaluate),
        }
        tasks.append(Task(experiment, "inherited", architecture.id, asked, _inherited))
    return tasks


def _inherited(task: Task, clock: Clock) -> dict[str, Any]:
    experiment = task.experiment
    require_supernet(experiment)
    trained = loaded_supernet(experiment.supernet)
    architecture = Architecture.from_dict(task.asked["architecture"])
    with TemporaryDirectory(prefix="paper-claim-") as name:
        folder = Path(name)
        export_model(extract(trained.model, architecture), folder, vocabulary=trained.vocabulary)
        score = scored(translator(experiment, folder), test_text(experiment))
    del score["hypotheses"]  # twenty such files are not worth their size
    return {"test": score}


def chosen(experiment: Experiment) -> dict[str, Architecture]:
    """Return the baselines and the winners of all searches by their names.

    Raises:
        FileNotFoundError: A search has no result yet.
    """
    by_name = {name: baseline(name, experiment.config.space) for name in BASELINES}
    for task in (*search_tasks(experiment), *parity_tasks(experiment)):
        result = read_result(task.path)
        if "infeasible" not in result:
            by_name[task.name] = Architecture.from_dict(result["architecture"])
    return by_name


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
