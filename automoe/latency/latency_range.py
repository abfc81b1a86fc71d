"""This module finds the range of latencies that a space offers, within the limits of a search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.infeasible_budget import none_fits

Bounds = NDArray[np.float64]
UpperBound = Callable[[Sequence[Architecture]], Bounds]
KeepsLimits = Callable[[Architecture], bool]

_DRAWS = 500
_DESCENTS = 4
_CHILDREN = 50


@dataclass(frozen=True, slots=True)
class Feasibility:
    """The range of a space's latencies. All latencies are upper bounds in milliseconds.

    Attributes:
        lowest_ms: The smallest bound that was seen within the other limits. It is the smallest
            feasible budget.
        median_ms: The median of the bounds of random architectures.
        highest_ms: The largest bound that was seen.
        fastest: The architecture with ``lowest_ms``.
        typical: The random architecture whose bound is nearest to ``median_ms``.
        slowest: The architecture with ``highest_ms``.
    """

    lowest_ms: float
    median_ms: float
    highest_ms: float
    fastest: Architecture
    typical: Architecture
    slowest: Architecture

    def is_slack(self, budget_ms: float) -> bool:
        """Return whether a budget excludes none of the architectures that were seen."""
        return budget_ms >= self.highest_ms

    def require(self, budget_ms: float, space_name: str, *, is_limited: bool = False) -> None:
        """Check that a known architecture fits a budget.

        Args:
            budget_ms: The budget in milliseconds.
            space_name: The name of the space, for the message.
            is_limited: Whether the search has other limits, which the message mentions.

        Raises:
            InfeasibleBudgetError: None fits. The message names the nearest feasible budget.
        """
        if budget_ms < self.lowest_ms:
            raise none_fits(
                space_name,
                budget_ms=budget_ms,
                lowest_ms=self.lowest_ms,
                fastest_id=self.fastest.id,
                median_ms=self.median_ms,
                highest_ms=self.highest_ms,
                is_limited=is_limited,
            )


def latency_range(
    space: SearchSpace,
    upper_bound: UpperBound,
    *,
    keeps_limits: KeepsLimits = lambda architecture: True,
    seed: int = 0,
) -> Feasibility:
    """Return the range of a space's latencies.

    The bounds of the smallest architecture, the largest and random ones are predicted. The
    smallest need not be the fastest, so the fastest of these is mutated a few times.

    Args:
        space: The space.
        upper_bound: A function that gives the upper bounds of latencies in milliseconds.
        keeps_limits: A function that tells whether an architecture keeps the other limits. The
            smallest architecture must keep them.
        seed: The seed of the random architectures.
    """
    rng = Random(f"survey {seed}")
    drawn = [space.sample(rng) for _ in range(_DRAWS)]
    pool = [space.smallest(), space.largest(), *drawn]
    bounds = upper_bound(pool)
    fastest, lowest_ms = _fastest(pool, bounds, keeps_limits)
    for _ in range(_DESCENTS):
        children = [space.mutate(fastest, rng, probability=0.1) for _ in range(_CHILDREN)]
        child, child_ms = _fastest(children, upper_bound(children), keeps_limits)
        if child_ms < lowest_ms:
            fastest, lowest_ms = child, child_ms
    drawn_bounds = bounds[2:]
    by_bound = drawn_bounds.argsort()
    return Feasibility(
        lowest_ms=lowest_ms,
        median_ms=float(np.median(drawn_bounds)),
        highest_ms=float(bounds.max()),
        fastest=fastest,
        typical=drawn[int(by_bound[len(by_bound) // 2])],
        slowest=pool[int(bounds.argmax())],
    )


def _fastest(
    candidates: Sequence[Architecture], bounds: Bounds, keeps_limits: KeepsLimits
) -> tuple[Architecture, float]:
    """Return the fastest candidate within the limits and its bound, infinite if none is within."""
    bounds_within_limits = np.where(list(map(keeps_limits, candidates)), bounds, np.inf)
    best = int(bounds_within_limits.argmin())
    return candidates[best], float(bounds_within_limits[best])
