"""What a space offers within a budget, before anything is searched."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from automoe.architecture.space import SearchSpace
from automoe.latency.budget import Feasibility, InfeasibleBudgetError, latency_range
from automoe.latency.model import LatencyModel
from automoe.search.limits import is_limited, is_within_limits, unmet_limits
from automoe.settings.search import SearchSettings
from devices import DeviceInfo
from devices.remote.session import Say

_DRAWS = 200  # of which many lie outside a small log of the very same space in some feature


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a space offers within a budget that something in it is predicted to fit.

    Attributes:
        feasibility: The latencies of the space.
        shown: The same for the result file, see `feasibility_of`.
    """

    feasibility: Feasibility
    shown: dict[str, Any]


def preflight_check(
    space: SearchSpace,
    settings: SearchSettings,
    latency: LatencyModel,
    *,
    info: DeviceInfo | None = None,
    say: Say,
) -> Preflight:
    """Look at a space before it is searched, and tell a person what it offers.

    Args:
        space: Where to search.
        settings: Budget, confidence and the other limits.
        latency: Predicts milliseconds, with an upper bound.
        info: The device that will measure; None when none will.
        say: Told what the space offers, and when the predictor's log is of another space, of
            another device or of another power mode.

    Raises:
        InfeasibleBudgetError: Nothing fits; the nearest feasible budget or limit is named.
    """
    if info is not None:
        warn_of_another_device(latency, info, say=say)
    warn_of_another_space(latency, space, say=say)
    feasibility = surveyed(space, settings, latency)
    shown = feasibility_of(feasibility, latency, settings.confidence)
    is_slack = feasibility.is_slack(settings.budget_ms)
    say(preflight_line(shown, settings, space, is_slack=is_slack))
    return Preflight(require_feasible(space, settings, latency, feasibility), shown)


def warn_of_another_device(latency: LatencyModel, info: DeviceInfo, *, say: Say) -> None:
    """Say so when the predictor was fitted on another device, or in another power mode."""
    held = latency.predictor.conditions
    fitted_on = held.get("device_fingerprint", info.fingerprint)
    if fitted_on != info.fingerprint:
        say(f"The predictor was fitted on device {fitted_on}; this one is {info.fingerprint}.")
    mode = held.get("power_mode", info.power_mode)
    if mode != info.power_mode:
        say(f"The predictor was fitted in power mode {mode}; the device is in {info.power_mode}.")


def warn_of_another_space(latency: LatencyModel, space: SearchSpace, *, say: Say) -> None:
    """Say so when the predictor's log holds little that is like the space."""
    rng = Random("other draws than those of a log")
    table = latency.table([space.sample(rng) for _ in range(_DRAWS)])
    n_outside = int(latency.predictor.extrapolates(table).sum())
    if n_outside > _DRAWS / 2:
        say(
            f"warning: {n_outside} of {_DRAWS} random architectures of '{space.name}' lie outside "
            "the log that the predictor was fitted to, where its bounds promise nothing. Is it of "
            "another space, such as one without experts? Measure more of this one and fit again."
        )


def require_feasible(
    space: SearchSpace,
    settings: SearchSettings,
    latency: LatencyModel,
    feasibility: Feasibility | None = None,
) -> Feasibility:
    """Return the latencies of a space in which something is predicted to fit.

    Args:
        space: Where to search.
        settings: Budget, confidence and the other limits.
        latency: Predicts milliseconds, with an upper bound.
        feasibility: What `surveyed` returned, where it was called before.

    Raises:
        InfeasibleBudgetError: Nothing fits; the nearest feasible budget or limit is named.
    """
    unmet = unmet_limits(space, settings, latency.workload)
    if unmet:
        raise InfeasibleBudgetError(f"No architecture of '{space.name}' can be returned: {unmet}.")
    feasibility = feasibility or surveyed(space, settings, latency)
    feasibility.require(settings.budget_ms, space.name, is_limited=is_limited(settings))
    return feasibility


def surveyed(space: SearchSpace, settings: SearchSettings, latency: LatencyModel) -> Feasibility:
    """Return the latencies of a space; of those that keep the other limits it has the fastest.

    Args:
        space: Where to search.
        settings: Confidence and the other limits.
        latency: Predicts milliseconds, with an upper bound.
    """
    upper_ms = partial(latency.upper_ms, confidence=settings.confidence)
    keeps = partial(is_within_limits, settings=settings, workload=latency.workload)
    return latency_range(space, upper_ms, keeps_limits=keeps, seed=settings.seed)


def feasibility_of(
    feasibility: Feasibility, latency: LatencyModel, confidence: float
) -> dict[str, Any]:
    """The fastest, the typical and the slowest architecture of a space, with their bounds.

    Args:
        feasibility: Of the space.
        latency: Predicts them.
        confidence: Of each bound by itself; upper bounds are those that a search keeps.
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
    """What the space offers, for a person.

    Args:
        shown: What `feasibility_of` returned.
        settings: Budget and the other limits.
        space: Where to search.
        is_slack: Whether the budget excludes nothing seen.
    """
    ranges = ", ".join(
        f"{name} {row['predicted_ms']:.4g} ms ({row['lower_ms']:.4g} to {row['upper_ms']:.4g})"
        for name, row in shown.items()
    )
    line = f"Predicted latencies of '{space.name}': {ranges}."
    if is_slack:
        among = "within the other limits" if is_limited(settings) else "of the whole space"
        line += (
            f" The budget of {settings.budget_ms:g} ms excludes nothing seen: what is returned is "
            f"the best {among}, at most {shown['largest']['upper_ms']:.4g} ms."
        )
    return line
