"""This module says that no architecture is predicted to keep a budget or a limit.

It names the nearest budget or limit that works. Callers pass facts. What measurements say against a
candidate is in `automoe.search.certify.verification`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from devices.rounding import rounded, rounded_up


class InfeasibleBudgetError(Exception):
    """No architecture of the space fits the budget. The message names the nearest feasible one."""


class UnmetLimit(NamedTuple):
    """A limit that not even the smallest architecture keeps.

    Attributes:
        limit: The limit that was given.
        least: The quantity that the smallest architecture takes.
    """

    limit: float
    least: float


def none_fits(
    space_name: str,
    *,
    budget_ms: float,
    lowest_ms: float,
    fastest_id: str,
    median_ms: float,
    highest_ms: float,
    is_limited: bool,
) -> InfeasibleBudgetError:
    """Return the error that no architecture is predicted to fit, before anything is searched.

    Args:
        space_name: The name of the space.
        budget_ms: The budget.
        lowest_ms: The smallest bound that was seen within the other limits.
        fastest_id: The name of the architecture with that bound.
        median_ms: The median of the bounds of random architectures.
        highest_ms: The largest bound that was seen.
        is_limited: Whether the search has other limits.
    """
    kept = " within the other limits" if is_limited else ""
    return InfeasibleBudgetError(
        f"No architecture of '{space_name}'{kept} fits the budget of {rounded_up(budget_ms)} ms. "
        f"The nearest feasible budget is {rounded_up(lowest_ms, 3)} ms (architecture "
        f"{fastest_id}); random architectures take at most {rounded_up(median_ms, 3)} ms "
        f"(median) to {rounded_up(highest_ms, 3)} ms."
    )


def none_within_limits(space_name: str, unmet: Mapping[str, UnmetLimit]) -> InfeasibleBudgetError:
    """Return the error that not even the smallest architecture keeps some limits.

    Args:
        space_name: The name of the space.
        unmet: The limits that it exceeds, by their names.
    """
    reasons = "; ".join(
        f"'{name}' must be at least {_feasible_limit(least)}, what the smallest "
        f"architecture takes. Got {limit:g}"
        for name, (limit, least) in unmet.items()
    )
    return InfeasibleBudgetError(f"No architecture of '{space_name}' can be returned: {reasons}.")


def none_keeps_all(
    space_name: str, *, budget_ms: float, fastest_id: str, lowest_ms: float
) -> InfeasibleBudgetError:
    """Return the error that a search found nothing that keeps the budget and all limits together.

    Args:
        space_name: The name of the space.
        budget_ms: The budget.
        fastest_id: The name of the fastest architecture that keeps the other limits.
        lowest_ms: Its upper bound.
    """
    return InfeasibleBudgetError(
        f"The search found no architecture of '{space_name}' that keeps the budget of "
        f"{rounded_up(budget_ms)} ms and all limits together. The fastest seen that keeps the "
        f"other limits, {fastest_id}, takes at most {rounded_up(lowest_ms)} ms: raise one of them."
    )


def none_left(space_name: str, fastest_ms: float | None) -> str:
    """Return why a search ends when its measurements leave no architecture that may fit.

    Args:
        space_name: The name of the space.
        fastest_ms: The lowest latency that was measured; None when nothing was.
    """
    reason = f"with these measurements no other architecture of '{space_name}' is predicted to fit"
    if fastest_ms is not None:
        reason += f"; the fastest measured took {rounded(fastest_ms)} ms"
    return reason


def _feasible_limit(value: float) -> str:
    """Round up: to a whole number from 1000 on, to a thousandth below it."""
    if value >= 1000:
        return rounded_up(value, places=0)
    return f"{float(rounded_up(value, places=3)):g}"
