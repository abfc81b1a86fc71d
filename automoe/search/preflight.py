"""What a space offers within a budget, before anything is searched."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from automoe.architecture.space import SearchSpace
from automoe.latency.budget import Feasibility, InfeasibleBudgetError, latency_range
from automoe.latency.model import LatencyModel
from automoe.search.limits import is_limited, is_within_limits, unmet_limits
from automoe.search.settings import SearchSettings


def require_feasible(
    space: SearchSpace, settings: SearchSettings, latency: LatencyModel
) -> Feasibility:
    """The latencies of a space in which something is predicted to fit.

    Args:
        space: Where to search.
        settings: Budget, confidence and the other limits.
        latency: Predicts milliseconds, with an upper bound.

    Raises:
        InfeasibleBudgetError: Nothing fits; the nearest feasible budget or limit is named.
    """
    unmet = unmet_limits(space, settings, latency.workload)
    if unmet:
        raise InfeasibleBudgetError(f"No architecture of '{space.name}' can be returned: {unmet}.")
    feasibility = surveyed(space, settings, latency)
    feasibility.require(settings.budget_ms, space.name, is_limited=is_limited(settings))
    return feasibility


def surveyed(space: SearchSpace, settings: SearchSettings, latency: LatencyModel) -> Feasibility:
    """The latencies of a space; of those that keep the other limits it has the fastest.

    Args:
        space: Where to search.
        settings: Confidence and the other limits.
        latency: Predicts milliseconds, with an upper bound.
    """
    upper_ms = partial(latency.upper_ms, confidence=settings.confidence)
    keeps = partial(is_within_limits, settings=settings, workload=latency.workload)
    return latency_range(space, upper_ms, keeps_limits=keeps, seed=settings.seed)


def preflight_line(
    preflight: Mapping[str, Mapping[str, Any]],
    settings: SearchSettings,
    space: SearchSpace,
    *,
    is_slack: bool,
) -> str:
    """What the space offers, for a person.

    Args:
        preflight: Of `feasibility_of`.
        settings: Budget and the other limits.
        space: Where to search.
        is_slack: Whether the budget excludes nothing seen.
    """
    shown = ", ".join(
        f"{name} {row['predicted_ms']:.4g} ms ({row['lower_ms']:.4g} to {row['upper_ms']:.4g})"
        for name, row in preflight.items()
    )
    line = f"Predicted latencies of '{space.name}': {shown}."
    if is_slack:
        among = "within the other limits" if is_limited(settings) else "of the whole space"
        line += (
            f" The budget of {settings.budget_ms:g} ms excludes nothing seen: what is returned is "
            f"the best {among}, at most {preflight['largest']['upper_ms']:.4g} ms."
        )
    return line
