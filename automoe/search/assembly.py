"""Carry out a whole search, from the request to the content of the result file.

`automoe search` and `automoe run` both call `run_search`. They differ in their requests and in the
folders of their files.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter, duration, no_progress
from automoe.search.budget_search import search
from automoe.search.certify.measuring import Bench
from automoe.search.certify.search_rounds import VerifiedSearch, verified_search
from automoe.search.certify.verification import Verification
from automoe.search.expected_time import START_S, ExpectedTime, default_jobs
from automoe.search.fingerprint import search_fingerprint
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.fitness.objective import OF_TEXT
from automoe.search.fitness.validation import Fitness
from automoe.search.preflight import Preflight
from automoe.search.result import front_of, result_of
from automoe.search.state import CHOSEN, FOLDER, RoundKind, SearchState, begun_with
from automoe.search.workers.pool import Workers, workers
from automoe.settings.search import SearchSettings
from devices import Device, DeviceInfo
from devices.opening import opened_device
from devices.remote.host import say_nothing
from devices.remote.session import Say
from devices.runtimes import ONNXRUNTIME, RUNTIMES
from profilers import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFiles:
    """The files from which a killed search is resumed.

    A command keeps those of one result in a folder beside it, which git ignores. Earlier releases
    wrote them beside the result, and a search that one of them began goes on there.

    Attributes:
        state: The file of the generations. Those of later rounds are kept beside it.
        verification: The log of the candidates that were measured.
        graphs: The folder for graphs while they are measured.
        fitness: The file of fitness values, which several searches of one supernet may share.
    """

    state: Path
    verification: Path
    graphs: Path
    fitness: Path

    @classmethod
    def beside(cls, out: Path, *, fitness: Path) -> Self:
        """Return the files of a result: in its folder, or where an earlier release put them."""
        state = out.with_name(f"{out.name}.state.jsonl")
        verification = out.with_name(f"{out.name}.verification.csv")
        if state.exists() or verification.exists():
            graphs = out.with_name(f"{out.name}.graphs")
            return cls(state=state, verification=verification, graphs=graphs, fitness=fitness)
        folder = cls.folder_of(out)
        return cls(
            state=folder / "state.jsonl",
            verification=folder / "verification.csv",
            graphs=folder / "graphs",
            fitness=fitness,
        )

    @classmethod
    def fitness_of(cls, supernet: Path, out: Path) -> Path:
        """Return the file of fitness values: in the supernet, or with ``out`` if read-only."""
        path = supernet / "fitness.jsonl"
        if os.access(path if path.exists() else supernet, os.W_OK):
            return path
        beside = out.with_name(f"{out.name}.fitness.jsonl")  # an earlier release wrote it there
        return beside if beside.exists() else cls.folder_of(out) / "fitness.jsonl"

    @staticmethod
    def folder_of(out: Path) -> Path:
        """Return the folder for the files of a result."""
        return out.with_name(f"{out.name}{FOLDER}")

    def make_folder(self) -> None:
        """Make the folder of a result's files, and have git ignore all of it."""
        folder = self.state.parent
        if folder.name.endswith(FOLDER):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Everything that a search is given.

    Attributes:
        space: The search space.
        settings: The settings of the search. When they do not say how many generations there are,
            the space does.
        latency: The model that predicts milliseconds. Candidates are measured with its workload.
        objective: The name of the objective, which is minimised.
        fitness: The functions of `objective_fitness`, one for each stage of halving.
        predictor: The file of the predictor.
        supernet: The folder of the supernet.
        files: The files of the search.
        jobs: The number of processes that evaluate; None for one on each usable core. A function
            of the user is evaluated in this process then.
        cluster: The address of a cluster that evaluates instead, see `workers`.
    """

    space: SearchSpace
    settings: SearchSettings
    latency: LatencyModel
    objective: str
    fitness: tuple[Fitness, ...]
    predictor: Path
    supernet: Path
    files: SearchFiles
    jobs: int | None = None
    cluster: str | None = None

    @property
    def is_of_text(self) -> bool:
        """Whether the objective is one of the toolkit, which any process evaluates alike."""
        return self.objective in OF_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDevice:
    """The device on which the budget must be kept.

    Attributes:
        opened: A function that opens the device, once for each session. Between two sessions
            others may use the device.
        info: The description of the device.
        also: Architectures to measure beside the first candidates, such as a baseline.
        seed: The seed of the order of measuring.
    """

    opened: Callable[[], AbstractContextManager[Device]]
    info: DeviceInfo
    also: tuple[Architecture, ...] = ()
    seed: int = 0

    @classmethod
    def reached(
        cls,
        device: str,
        host: str | None,
        runtime: str,
        *,
        say: Say = say_nothing,
        holds_clocks: bool = False,
    ) -> Self:
        """Check that a device is there, and return it. Sessions wait while others measure on it.

        Args: as those of `opened_device`.

        Raises:
            DeviceUnavailableError: It cannot be used.
        """
        options = {"holds_clocks": holds_clocks, "waits": True}
        opened = partial(opened_device, device, host, runtime, say=say, **options)
        with opened(is_measured=holds_clocks) as there:
            info = there.info()
        return cls(opened=opened, info=info)


def run_search(
    request: SearchRequest,
    *,
    preflight: Preflight,
    target: TargetDevice | None = None,
    stage: StageReporter | None = None,
    say: Say = say_nothing,
) -> tuple[VerifiedSearch, dict[str, Any]]:
    """Search, measure the best candidates, and return the search and the content of its result.

    Args:
        request: The request.
        preflight: The value that `preflight_check` returned for the request.
        target: The device that measures the best candidates. None measures nothing: the winner
            is the best candidate that is predicted to fit.
        stage: Called with the title of each step. It returns the progress report of the step.
        say: Called with the time that the evaluations are expected to take.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit.
        SearchStateError: The state is damaged, belongs to another search or is in use.
        WorkersUnavailableError: The evaluation workers cannot be used.
        DeviceUnavailableError, ProfilingError, LogError: Nothing can be measured.
        ValueError: A fitness is not a finite number.
    """
    stage = stage or (lambda title: nullcontext(no_progress))
    request.files.make_folder()
    state, settings = _begun(request)
    request = replace(request, settings=settings)
    with _workers(request) as pool:
        is_timed = request.is_of_text or pool.n_workers == 1
        told = partial(_tell_time, request=request, state=state, pool=pool, target=target, say=say)
        evaluator = Evaluator(
            *request.fitness,
            cache=FitnessCache(request.files.fitness),
            workers=pool,
            on_timed=told if is_timed else None,
        )
        searched = _searched(
            request, preflight, target, evaluator=evaluator, state=state, stage=stage
        )
        return searched, _result(request, evaluator, preflight, searched, target)


def runtime_of(latency: LatencyModel) -> str:
    """Return the name of the runtime of the predictor's log, which also measures the candidates.

    A log names it with its version, such as ``tensorrt 10.3.0``. A simulated device has no
    runtime, and the default name is returned.
    """
    name = latency.predictor.conditions.get("runtime", "").partition(" ")[0]
    return name if name in RUNTIMES else ONNXRUNTIME


def _begun(request: SearchRequest) -> tuple[SearchState, SearchSettings]:
    """Return the state of a search, and its settings with those that it chooses by itself."""
    path, given = request.files.state, request.settings.model_fields_set
    settings = request.settings.suited(request.space.count, begun=begun_with(path))
    digest = search_fingerprint(
        settings, request.fitness, predictor=request.predictor, supernet=request.supernet
    )
    chosen = {name: getattr(settings, name) for name in CHOSEN if name not in given}
    return SearchState(path, digest, chosen=chosen), settings


def _workers(request: SearchRequest) -> AbstractContextManager[Workers]:
    """Start the evaluation workers. Those of this machine start when the search is not short."""
    if request.cluster is not None or not request.is_of_text:
        return workers(request.jobs or 1, request.cluster)
    jobs = request.jobs or default_jobs(request.space, request.settings)
    return workers(jobs, patience_s=START_S)


def _tell_time(
    each_s: float,
    *,
    request: SearchRequest,
    state: SearchState,
    pool: Workers,
    target: TargetDevice | None,
    say: Say,
) -> None:
    """Tell the user how long the first search takes, when it is known what one evaluation takes."""
    settings = request.settings
    done, total = (
        min(settings.evaluations(n), request.space.count)
        for n in (len(state.load()), settings.generations)
    )
    if done >= total:
        return
    line = str(ExpectedTime(total - done, each_s, pool.n_workers))
    if target is not None:
        line += f" Measuring follows: at most {duration(60 * settings.device_minutes)}."
    say(line)


def _searched(
    request: SearchRequest,
    preflight: Preflight,
    target: TargetDevice | None,
    *,
    evaluator: Evaluator,
    state: SearchState,
    stage: StageReporter,
) -> VerifiedSearch:
    given: dict[str, Any] = {
        "latency": request.latency,
        "evaluator": evaluator,
        "state": state,
        "feasibility": preflight.feasibility,
    }
    if target is not None:
        bench = _bench(request, target)
        return verified_search(request.space, request.settings, bench=bench, stage=stage, **given)
    with stage("Search") as on_progress:
        outcome = search(request.space, request.settings, on_progress=on_progress, **given)
    winner = outcome.candidates[0]
    verification = Verification(
        winner, False, why_unverified(winner.architecture, request.latency), {}
    )
    return VerifiedSearch(outcome, verification, request.latency, (RoundKind.FIRST,))


def why_unverified(winner: Architecture, latency: LatencyModel) -> str:
    """Return the reason that a winner which was not measured gets in the result."""
    outside = ""
    if latency.predictor.extrapolates(latency.table([winner])).any():
        outside = (
            ", and it lies outside the log that the predictor was fitted to, where its bounds "
            "promise nothing"
        )
    return f"not measured{outside}; give --device to have the budget verified"


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
    if preflight.feasibility.is_slack(request.settings.budget_ms):
        result["reason"] += "; the budget excludes no architecture that was looked at"
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
