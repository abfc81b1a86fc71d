"""Carry out ``automoe search``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from automoe.cli.completing import DEVICE
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.device_options import ON_DEVICE, Host, LockClocks, announce
from automoe.cli.exits import ExitCode
from automoe.cli.metavars import name_values
from automoe.cli.option_names import with_options
from automoe.cli.options import FILE, FOLDER, GROUPS, JsonOptions, Out, grouped, typed
from automoe.cli.outputs import NO_SUPERNET, require_file, require_folder, require_output
from automoe.cli.refusals import Refusal, refuse
from automoe.cli.run_summary import budget_in_words
from automoe.cli.text_options import DIRECTION_NEEDS_DATA, TextOptions, model_text
from automoe.model_files import DESCRIPTION
from automoe.settings.search import BudgetSettings, Count, SearchSettings
from devices import get_device
from devices.opening import resolve_device
from devices.rounding import rounded, rounded_up

if TYPE_CHECKING:
    from automoe.architecture.space import SearchSpace
    from automoe.latency.model import LatencyModel
    from automoe.search import SearchRequest, TargetDevice

_INPUT = Parameter(group=GROUPS["Inputs"])


@grouped("The search")
class SearchOptions(TextOptions, JsonOptions):
    """The inputs and the output of a search.

    Attributes:
        supernet: Folder of 'automoe train'.
        predictor: File of 'automoe fit'.
        out: File of the result, JSON.
        device: Device that measures the best candidates; default: none.
        data: Corpus to validate on; default: the supernet's.
        objective: Quantity to minimise: loss, bleu (its negative) or MODULE:FUNCTION.
        routing: Trace of the predictor's log, trace:FILE, if it was measured with one.
        jobs: Number of processes that evaluate; default: the usable cores.
        cluster: Cluster that evaluates: ray, ray://HOST:PORT or dask://HOST:PORT.
        as_json: Print the result.
    """

    supernet: Annotated[Path, FOLDER, _INPUT]
    predictor: Annotated[Path, FILE, _INPUT]
    out: Out
    device: Annotated[str | None, ON_DEVICE, DEVICE] = None
    host: Host = None
    objective: str = "loss"
    lock_clocks: LockClocks = False
    routing: str | None = None
    jobs: Count | None = None
    cluster: str | None = None


name_values(BudgetSettings)
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
    asked: Annotated[
        BudgetSettings | None, Parameter(name="*", group=GROUPS["Search settings"])
    ] = None,
) -> ExitCode:
    """Find the best architecture within a latency budget; exit 6 when none can fit."""
    if asked is None:
        raise ValueError("Give either '--budget-ms' or '--budget-share'.")
    refuse(_REFUSALS, typed(options, asked))
    require_file(options.predictor, "'{path}' does not exist. 'automoe fit' makes it.")
    require_folder(options.supernet, NO_SUPERNET, holding=DESCRIPTION)
    require_folder(options.data)
    require_output(options.out, options.predictor, options.supernet)
    if options.device is not None:  # an unknown name is told at once
        get_device(resolve_device(options.device, options.host)[0])
    # scikit-learn and torch take seconds to import
    from automoe.cli.search_inputs import with_trace
    from automoe.latency.model import LatencyModel

    is_measured = options.device is not None
    latency = with_trace(
        LatencyModel.open(options.predictor), options.routing, is_measured=is_measured
    )
    from automoe.search import (
        preflight_check,
        require_no_certificate,
        require_same_vocabulary,
        run_search,
        runtime_of,
        settings_of,
        write_result,
    )
    from automoe.training.model_folder import TrainedModel

    _require_own_text(options)
    if not is_measured:
        require_no_certificate(options.out)
    # A missing device is reported before the search. Others may use it until the search measures.
    target = _target(options, runtime_of(latency))
    _, space = TrainedModel.load_supernet(options.supernet)
    require_same_vocabulary(latency.workload, space)
    settings = settings_of(asked, space, latency)
    if asked.budget_share is not None:
        say(f"The budget is {budget_in_words(settings.budget_ms, asked.budget_share)}.")
    request = _request(options, settings, latency, space)
    info = None if target is None else target.info
    preflight = preflight_check(space, settings, latency, info=info, say=say)
    _, result = run_search(request, preflight=preflight, target=target, stage=progress_bar, say=say)
    write_result(options.out, result)
    if options.as_json:
        print_json(result)
    else:
        from automoe.report import remark_of  # matplotlib takes a moment to import

        print(f"{options.out}: {_summary(result)}")
        if remark := remark_of(result):
            print(remark)
    return ExitCode.QUALITY if is_measured and not result["certified"] else ExitCode.OK


def _request(
    options: SearchOptions, settings: SearchSettings, latency: "LatencyModel", space: "SearchSpace"
) -> "SearchRequest":
    """Return the request of the search."""
    from automoe.search import OF_TEXT, SearchFiles, SearchRequest, objective_fitness

    objective, supernet = options.objective, options.supernet
    text = model_text(supernet, options) if objective in OF_TEXT else None
    return SearchRequest(
        space=space,
        settings=settings,
        latency=latency,
        objective=objective,
        fitness=objective_fitness(objective, supernet, text, halvings=settings.halvings),
        predictor=options.predictor,
        supernet=supernet,
        files=SearchFiles.beside(options.out, fitness=_cache_path(supernet, options.out)),
        jobs=options.jobs,
        cluster=options.cluster,
    )


def _require_own_text(options: SearchOptions) -> None:
    """Refuse a corpus that the objective does not read."""
    from automoe.search import OF_TEXT  # torch takes seconds to import

    if options.data is not None and options.objective not in OF_TEXT:
        raise ValueError(
            "'--data' is read by the objectives loss and bleu. "
            f"Got '{options.objective}'; leave it out."
        )


def _target(options: SearchOptions, runtime: str) -> "TargetDevice | None":
    """Check that the device is there, and return it; None when the user gave no device."""
    from automoe.search import TargetDevice

    if options.device is None:
        return None
    target = TargetDevice.reached(
        options.device, options.host, runtime, say=say, holds_clocks=options.lock_clocks
    )
    announce(target.info)
    return target


def _summary(result: Mapping[str, Any]) -> str:
    """Return one line for the user."""
    bounds, reason = result["latency_ms"], with_options(result["reason"], ["search"])
    return (
        f"{result['architecture_id']}, predicted {rounded(bounds['predicted'])} ms "
        f"(at most {rounded_up(bounds['upper'])}), {result['objective']} {result['fitness']:.4f}; "
        f"{'certified' if result['certified'] else 'not certified'}: {reason}"
    )


def _cache_path(supernet: Path, out: Path) -> Path:
    """Return the file of fitness values, and tell the user when it is not in the supernet."""
    from automoe.search import SearchFiles  # torch takes seconds to import

    path = SearchFiles.fitness_of(supernet, out)
    if path.parent != supernet:
        say(
            f"'{supernet}' is read-only: fitness values are kept in '{path}' for this result alone."
        )
    return path
