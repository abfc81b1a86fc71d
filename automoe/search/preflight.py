"""Check before a search which latencies a space offers within the budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.infeasible_budget import none_within_limits
from automoe.latency.latency_range import Feasibility, latency_range
from automoe.latency.model import LatencyModel
from automoe.search.limits import is_limited, is_within_limits, unmet_limits
from automoe.settings.search import BudgetSettings, SearchSettings
from devices import DeviceInfo
from devices.remote.session import Say
from devices.rounding import rounded, rounded_down, rounded_up
from profilers.measuring.measurement import SCHEMA_VERSION, WORST_QUALITY

_DRAWS = 200  # many of them lie outside a small log, even one of the same space


@dataclass(frozen=True, slots=True)
class Preflight:
    """The latencies of a space in which some architecture is predicted to fit the budget.

    Attributes:
        feasibility: The latencies of the space.
        shown: Their description in the result file, see `feasibility_of`.
    """

    feasibility: Feasibility
    shown: dict[str, Any]


def settings_of(asked: BudgetSettings, space: SearchSpace, latency: LatencyModel) -> SearchSettings:
    """Return the settings of a search. The predictor gives a budget that is a share.

    Args:
        asked: The settings, with a budget in milliseconds or as a share.
        space: The search space.
        latency: The model that predicts the largest dense architecture.
    """
    bounds = latency.predict([space.largest(experts=1)], confidence=asked.confidence)
    return asked.settings(float(bounds["predicted_ms"].iloc[0]))


def preflight_check(
    space: SearchSpace,
    settings: SearchSettings,
    latency: LatencyModel,
    *,
    info: DeviceInfo | None = None,
    say: Say,
) -> Preflight:
    """Check a space before it is searched, and tell the user which latencies it offers.

    Args:
        space: The search space.
        settings: The budget, the confidence and the limits.
        latency: The model that predicts milliseconds, with an upper bound.
        info: The device that will measure; None when nothing is measured.
        say: Called with the latencies of the space, and with a warning when the predictor's log
            is of another space, device, power mode or release, or has no sound row.

    Raises:
        InfeasibleBudgetError: No architecture fits. The message names the nearest feasible budget
            or limit.
    """
    _require_limits(space, settings, latency)
    if info is not None:
        warn_of_another_device(latency, info, say=say)
    warn_of_another_release(latency, say=say)
    warn_of_another_space(latency, space, say=say)
    warn_of_unsound_rows(latency, say=say)
    feasibility = surveyed(space, settings, latency)
    shown = feasibility_of(feasibility, latency, settings.confidence)
    is_slack = feasibility.is_slack(settings.budget_ms)
    say(preflight_line(shown, settings, space, is_slack=is_slack))
    feasibility.require(settings.budget_ms, space.name, is_limited=is_limited(settings))
    return Preflight(feasibility, shown)


def warn_of_another_device(latency: LatencyModel, info: DeviceInfo, *, say: Say) -> None:
    """Warn when the predictor was fitted on another device, or in another power mode."""
    conditions = latency.predictor.conditions
    fitted_on = conditions.get("device_fingerprint", info.fingerprint)
    if fitted_on != info.fingerprint:
        say(f"The predictor was fitted on device {fitted_on}; this one is {info.fingerprint}.")
    mode = conditions.get("power_mode", info.power_mode)
    if mode != info.power_mode:
        say(
            f"warning: The predictor was fitted in power mode {mode}; the device is in "
            f"{info.power_mode}, where its bounds promise nothing. Set the mode of the log, or "
            "measure a log in this one and fit again."
        )


def warn_of_another_release(latency: LatencyModel, *, say: Say) -> None:
    """Warn when the log's rows have another meaning than those of this release."""
    conditions = latency.predictor.conditions
    is_ours = "device_fingerprint" in conditions
    if is_ours and conditions.get("schema_version") != str(SCHEMA_VERSION):
        say(
            "warning: The predictor was fitted to a log of another release, which timed other "
            "graphs or in another way, so its bounds promise nothing. Measure a new log and fit "
            "again; with this predictor as '--base' a short one is enough."
        )


def warn_of_another_space(latency: LatencyModel, space: SearchSpace, *, say: Say) -> None:
    """Warn when most of the space lies outside the predictor's log."""
    rng = Random("other draws than those of a log")
    table = latency.table([space.sample(rng) for _ in range(_DRAWS)])
    n_outside = int(latency.predictor.extrapolates(table).sum())
    if n_outside > _DRAWS / 2:
        say(
            f"warning: {n_outside} of {_DRAWS} random architectures of '{space.name}' lie outside "
            "the log that the predictor was fitted to, where its bounds promise nothing. The "
            "log has few rows or is of another space, such as one without experts. Measure more "
            "architectures of this space and fit again."
        )


def warn_of_unsound_rows(latency: LatencyModel, *, say: Say) -> None:
    """Warn when every row of the predictor's log has the lowest quality."""
    quality = latency.predictor.report.quality
    if set(quality) == {WORST_QUALITY}:
        say(
            f"warning: All {quality[WORST_QUALITY]} rows that the predictor was fitted to are of "
            f"quality {WORST_QUALITY}: they were disturbed, or their intervals are wide. Its "
            "bounds hold only while the machine is disturbed as it was then. 'automoe doctor' "
            "says what disturbs it; then measure a new log and fit again."
        )


def require_feasible(
    space: SearchSpace,
    settings: SearchSettings,
    latency: LatencyModel,
    feasibility: Feasibility | None = None,
) -> Feasibility:
    """Return the latencies of a space in which some architecture is predicted to fit.

    Args:
        space: The search space.
        settings: The budget, the confidence and the limits.
        latency: The model that predicts milliseconds, with an upper bound.
        feasibility: The value of `surveyed`, when it was called before.

    Raises:
        InfeasibleBudgetError: No architecture fits. The message names the nearest feasible budget
            or limit.
    """
    _require_limits(space, settings, latency)
    feasibility = feasibility or surveyed(space, settings, latency)
    feasibility.require(settings.budget_ms, space.name, is_limited=is_limited(settings))
    return feasibility


def _require_limits(space: SearchSpace, settings: SearchSettings, latency: LatencyModel) -> None:
    if unmet := unmet_limits(space, settings, latency.workload):
        raise none_within_limits(space.name, unmet)


def surveyed(space: SearchSpace, settings: SearchSettings, latency: LatencyModel) -> Feasibility:
    """Return the latencies of a space, and the fastest architecture that keeps the limits.

    Args:
        space: The search space.
        settings: The confidence and the limits.
        latency: The model that predicts milliseconds, with an upper bound.
    """
    upper_ms = partial(latency.upper_ms, confidence=settings.confidence)
    keeps = partial(is_within_limits, settings=settings, workload=latency.workload)
    return latency_range(space, upper_ms, keeps_limits=keeps, seed=settings.seed)


def feasibility_of(
    feasibility: Feasibility, latency: LatencyModel, confidence: float
) -> dict[str, Any]:
    """Describe the fastest, the typical and the slowest architecture of a space, with bounds.

    Args:
        feasibility: The latencies of the space.
        latency: The model that predicts them.
        confidence: The confidence of each bound by itself. The upper bounds are the wider ones
            that a search holds against its budget.
    """
    architectures = {
        "smallest": feasibility.fastest,
        "median": feasibility.typical,
        "largest": feasibility.slowest,
    }
    bounds = latency.predict(list(architectures.values()), confidence=confidence, searched=True)
    rows = zip(architectures.items(), bounds.to_dict("records"), strict=True)
    return {name: {"architecture_id": a.id, **row} for (name, a), row in rows}


def preflight_line(
    shown: Mapping[str, Mapping[str, Any]],
    settings: SearchSettings,
    space: SearchSpace,
    *,
    is_slack: bool,
) -> str:
    """Return the line that tells the user the latencies of a space.

    Args:
        shown: The value of `feasibility_of`.
        settings: The budget and the limits.
        space: The search space.
        is_slack: Whether the budget excludes no architecture that was looked at.
    """
    ranges = ", ".join(
        f"{name} {rounded(row['predicted_ms'])} ms "
        f"({rounded_down(row['lower_ms'])} to {rounded_up(row['upper_ms'])})"
        for name, row in shown.items()
    )
    line = f"Predicted latencies of '{space.name}': {ranges}."
    if is_slack:
        among = "within the other limits" if is_limited(settings) else "of the whole space"
        line += (
            f" The budget of {rounded_up(settings.budget_ms)} ms excludes no architecture that was "
            f"looked at: the winner is the best one {among}, at most "
            f"{rounded_up(shown['largest']['upper_ms'])} ms."
        )
        if shown["median"]["upper_ms"] < shown["largest"]["upper_ms"]:
            line += f" {rounded_up(shown['median']['upper_ms'])} ms would exclude about half of it."
    return line


def require_same_vocabulary(workload: TranslationWorkload, space: SearchSpace) -> None:
    """Refuse a predictor of models with another vocabulary than the supernet's.

    Raises:
        ValueError: The predictor's log is of another vocabulary than the supernet's space.
    """
    timed = (workload.vocab_size, workload.shared_embeddings)
    wanted = (space.vocab_size, space.shared_embeddings)
    if timed != wanted:
        raise ValueError(
            f"'--predictor' must be of the supernet's vocabulary, {_vocabulary(*wanted)}. "
            f"Its log was measured with {_vocabulary(*timed)}; measure the space of the supernet."
        )


def _vocabulary(vocab_size: int, is_shared: bool) -> str:
    return f"{vocab_size} pieces in {1 if is_shared else 2} table{'' if is_shared else 's'}"
