"""A whole search: from what is asked to the content of the result file.

`automoe search` and `automoe run` both search with `run_search`. They differ in what they ask, and
in where they keep what is found.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter, no_progress
from automoe.search.budget_search import search
from automoe.search.certify.bench import Bench
from automoe.search.certify.result import front_of, result_of
from automoe.search.certify.verification import Verification
from automoe.search.certify.verified_search import VerifiedSearch, verified_search
from automoe.search.fingerprint import search_fingerprint
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.fitness.validation import Fitness
from automoe.search.preflight import Preflight
from automoe.search.state import RoundKind, SearchState
from automoe.search.workers.pool import workers
from automoe.settings.search import SearchSettings
from devices import Device, DeviceInfo
from devices.runtimes import ONNXRUNTIME, RUNTIMES
from profilers import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFiles:
    """Where a search keeps what it learns, so that a killed search goes on.

    Attributes:
        state: The generations; those of later rounds are kept beside it.
        verification: The log of what was measured.
        graphs: Folder for graphs while they are measured.
        fitness: The fitness of architectures, which several searches of one supernet may share.
    """

    state: Path
    verification: Path
    graphs: Path
    fitness: Path

    @classmethod
    def beside(cls, out: Path, *, fitness: Path) -> Self:
        """Return the files of a result: their names begin with its own, whatever dots it has."""
        return cls(
            state=out.with_name(f"{out.name}.state.jsonl"),
            verification=out.with_name(f"{out.name}.verification.csv"),
            graphs=out.with_name(f"{out.name}.graphs"),
            fitness=fitness,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What is searched for, and with what.

    Attributes:
        space: Where to search.
        settings: How.
        latency: Predicts milliseconds; its workload is what is measured.
        objective: The name of what is minimised.
        fitness: Its values, one for each stage of halving, see `objective_fitness`.
        predictor: The file of the latency model.
        supernet: The folder of the supernet.
        files: Where to keep what is found.
        jobs: Processes that evaluate.
        cluster: Evaluates instead, see `workers`.
    """

    space: SearchSpace
    settings: SearchSettings
    latency: LatencyModel
    objective: str
    fitness: tuple[Fitness, ...]
    predictor: Path
    supernet: Path
    files: SearchFiles
    jobs: int = 1
    cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDevice:
    """The device that has to keep the budget.

    Attributes:
        opened: Opens it, for each session anew: between them it is free for others.
        info: Which device it is.
        also: Architectures to measure beside the first candidates, such as a baseline.
        seed: Of the order in which the device is measured.
    """

    opened: Callable[[], AbstractContextManager[Device]]
    info: DeviceInfo
    also: tuple[Architecture, ...] = ()
    seed: int = 0


def run_search(
    request: SearchRequest,
    *,
    preflight: Preflight,
    target: TargetDevice | None = None,
    stage: StageReporter | None = None,
) -> tuple[VerifiedSearch, dict[str, Any]]:
    """Search, on the device where there is one; return what was found and the result.

    Args:
        request: What to search for.
        preflight: What `preflight_check` returned for it.
        target: Measures the best candidates; None returns what is predicted.
        stage: Called with the title of each step; gives where to report its progress.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit.
        SearchStateError: The state is damaged, of another search, or in use by one.
        WorkersUnavailableError: The workers cannot be used.
        DeviceUnavailableError, ProfilingError, LogError: Nothing can be measured.
        ValueError: A fitness is not a finite number.
    """
    stage = stage or (lambda title: nullcontext(no_progress))
    with workers(request.jobs, request.cluster) as pool:
        cache = FitnessCache(request.files.fitness)
        evaluator = Evaluator(*request.fitness, cache=cache, workers=pool)
        searched = (
            _predicted(request, evaluator, preflight, stage)
            if target is None
            else _verified(request, evaluator, preflight, stage, target)
        )
        return searched, _result(request, evaluator, preflight, searched, target)


def runtime_of(latency: LatencyModel) -> str:
    """Return the runtime that candidates are measured with: the one of the predictor's log.

    A log names it with its version, such as ``tensorrt 10.3.0``. A simulated device has no
    runtime of its own, and any does.
    """
    name = latency.predictor.conditions.get("runtime", "").partition(" ")[0]
    return name if name in RUNTIMES else ONNXRUNTIME


def _predicted(
    request: SearchRequest, evaluator: Evaluator, preflight: Preflight, stage: StageReporter
) -> VerifiedSearch:
    with stage("Search") as on_progress:
        outcome = search(
            request.space,
            request.settings,
            latency=request.latency,
            evaluator=evaluator,
            state=_state(request),
            feasibility=preflight.feasibility,
            on_progress=on_progress,
        )
    reason = "not measured; give --device to have the budget verified"
    verification = Verification(outcome.candidates[0], False, reason, {})
    return VerifiedSearch(outcome, verification, request.latency, (RoundKind.FIRST,))


def _verified(
    request: SearchRequest,
    evaluator: Evaluator,
    preflight: Preflight,
    stage: StageReporter,
    target: TargetDevice,
) -> VerifiedSearch:
    return verified_search(
        request.space,
        request.settings,
        latency=request.latency,
        evaluator=evaluator,
        state=_state(request),
        bench=_bench(request, target),
        feasibility=preflight.feasibility,
        stage=stage,
    )


def _state(request: SearchRequest) -> SearchState:
    fingerprint = search_fingerprint(
        request.settings,
        request.fitness,
        predictor=request.predictor,
        supernet=request.supernet,
    )
    return SearchState(request.files.state, fingerprint)


def _bench(request: SearchRequest, target: TargetDevice) -> Bench:
    latency = request.latency
    protocol = Protocol.verification(
        budget_ms=request.settings.budget_ms,
        threads=int(float(latency.predictor.conditions.get("threads", "1"))),
        seed=target.seed,
    )
    return Bench(
        opened=target.opened,
        info=target.info,
        protocol=protocol,
        workload=latency.workload,
        space=request.space,
        log=request.files.verification,
        graphs=request.files.graphs,
        runtime=runtime_of(latency),
        also=target.also,
    )


def _result(
    request: SearchRequest,
    evaluator: Evaluator,
    preflight: Preflight,
    searched: VerifiedSearch,
    target: TargetDevice | None,
) -> dict[str, Any]:
    """Return the content of the result file."""
    verification = searched.verification
    result = result_of(
        verification,
        request.settings,
        space=request.space,
        workload=request.latency.workload,
        device=None if target is None else target.info.to_dict(),
        objective=request.objective,
    )
    if target is not None:
        result["n_measured"] = len(verification.measured)
        result["search_rounds"] = searched.rounds
    if request.settings.pareto:
        result |= front_of(
            searched.outcome,
            space=request.space,
            evaluator=evaluator,
            budget_ms=request.settings.budget_ms,
            measured=verification.measured,
        )
    result["n_evaluated"] = searched.outcome.n_evaluated
    result["predicted_on"] = request.latency.predictor.conditions
    result["feasibility"] = preflight.shown
    return result
