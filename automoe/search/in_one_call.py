"""This module searches in one call, as ``automoe search`` does, for those who write Python."""

import warnings
from functools import partial
from pathlib import Path

from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter
from automoe.search.assembly import (
    SearchFiles,
    SearchRequest,
    TargetDevice,
    run_search,
    runtime_of,
)
from automoe.search.certify.search_rounds import VerifiedSearch
from automoe.search.fitness.objective import objective_fitness
from automoe.search.preflight import preflight_check, require_same_vocabulary
from automoe.settings.search import SearchSettings
from automoe.text import Corpus
from automoe.training import remembered_corpus
from automoe.training.model_folder import TrainedModel
from devices.files import write_json
from devices.opening import opened_device


def search_under_budget(
    settings: SearchSettings,
    *,
    supernet: Path,
    predictor: Path,
    out: Path,
    device: str | None = None,
    host: str | None = None,
    corpus: Corpus | None = None,
    stage: StageReporter | None = None,
) -> VerifiedSearch:
    """Return the architecture with the least validation loss that fits a budget.

    The same call resumes a search that was stopped.

    Args:
        settings: The budget in milliseconds, and the settings of the search.
        supernet: The folder of a supernet.
        predictor: The file of a predictor that was fitted to a log of the supernet's space.
        out: The file of the result, JSON. The files of the search are kept in
            a folder beside it.
        device: The device that measures the best candidates; None measures nothing.
        host: The host of the device; None for this machine.
        corpus: The corpus whose valid split is read; None for the supernet's.
        stage: Called with the title of each step. It returns the progress report of the step.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit.
        ValueError: The predictor is of another vocabulary.
        CorpusError: The supernet's corpus is gone.
        DeviceUnavailableError, ProfilingError, LogError: Nothing can be measured.
    """
    latency = LatencyModel.open(predictor)
    _, space = TrainedModel.load_supernet(supernet)
    require_same_vocabulary(latency.workload, space)
    target = None if device is None else _target(device, host, runtime_of(latency))
    text = corpus or remembered_corpus(supernet)
    request = SearchRequest(
        space=space,
        settings=settings,
        latency=latency,
        objective="loss",
        fitness=objective_fitness("loss", supernet, text, halvings=settings.halvings),
        predictor=predictor,
        supernet=supernet,
        files=SearchFiles.beside(out, fitness=SearchFiles.folder_of(out) / "fitness.jsonl"),
        jobs=None,
        cluster=None,
    )
    info = None if target is None else target.info
    preflight = preflight_check(space, settings, latency, info=info, say=lambda message: None)
    searched, result = run_search(request, preflight=preflight, target=target, stage=stage)
    write_json(out, result)
    return searched


def _target(device: str, host: str | None, runtime: str) -> TargetDevice:
    """Check that the device is there, and return it."""
    with opened_device(device, host, runtime, is_measured=False) as reached:
        info = reached.info()
    say = partial(warnings.warn, stacklevel=2)  # such as that another session measures
    opened = partial(opened_device, device, host, runtime, say=say, waits=True)
    return TargetDevice(opened=opened, info=info)
