"""The check that a latency budget is feasible in a space; it names the nearest that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace

Bounds = NDArray[np.float64]
UpperBound = Callable[[Sequence[Architecture]], Bounds]
KeepsLimits = Callable[[Architecture], bool]

_SAMPLES = 500
_DESCENTS = 4
_CHILDREN = 50


class InfeasibleBudgetError(Exception):
    """No architecture of the space fits the budget; the message names the nearest that one does."""


@dataclass(frozen=True, slots=True)
class Feasibility:
    """The range of a space's latencies; all are upper bounds in milliseconds.

    Attributes:
        lowest_ms: The smallest found of what keeps the other limits, and so the nearest feasible
            budget from below.
        median_ms: Of random architectures.
        highest_ms: The largest found.
        fastest: The architecture with ``lowest_ms``.
        typical: A random architecture with ``median_ms``, or next to it.
        slowest: The architecture with ``highest_ms``.
    """

    lowest_ms: float
    median_ms: float
    highest_ms: float
    fastest: Architecture
    typical: Architecture
    slowest: Architecture

    def is_slack(self, budget_ms: float) -> bool:
        """Whether a budget excludes none of the architectures that were looked at."""
        return budget_ms >= self.highest_ms

    def require(self, budget_ms: float, space_name: str, *, is_limited: bool = False) -> None:
        """Refuse a budget that no architecture is known to fit.

        Args:
            budget_ms: To fit.
            space_name: For the message.
            is_limited: Whether there are other limits, which may be why.

        Raises:
            InfeasibleBudgetError: Naming the nearest feasible budget.
        """
        kept = " within the other limits" if is_limited else ""
        if budget_ms < self.lowest_ms:
            raise InfeasibleBudgetError(
                f"No architecture of '{space_name}'{kept} fits 'budget_ms' {budget_ms:g}. "
                f"The nearest feasible budget is {_rounded_up(self.lowest_ms):g} ms (architecture "
                f"{self.fastest.id}); random architectures take at most {self.median_ms:.3g} ms "
                f"(median) to {self.highest_ms:.3g} ms."
            )


def survey(
    space: SearchSpace,
    upper_bound: UpperBound,
    *,
    keeps_limits: KeepsLimits = lambda architecture: True,
    seed: int = 0,
) -> Feasibility:
    """Return the range of a space's latencies.

    The smallest architecture, the largest and random ones are looked at; from the best of them
    a few rounds of mutation go down, because the smallest need not be the fastest.

    Args:
        space: To look at.
        upper_bound: Of latencies in ms.
        keeps_limits: Whether an architecture may be the fastest; the smallest must.
        seed: Of the random ones.
    """
    rng = Random(f"survey {seed}")
    sampled = [space.sample(rng) for _ in range(_SAMPLES)]
    pool = [space.smallest(), space.largest(), *sampled]
    bounds = upper_bound(pool)
    fastest, lowest_ms = _fastest(pool, bounds, keeps_limits)
    for _ in range(_DESCENTS):
        children = [space.mutate(fastest, rng, probability=0.1) for _ in range(_CHILDREN)]
        child, child_ms = _fastest(children, upper_bound(children), keeps_limits)
        if child_ms < lowest_ms:
            fastest, lowest_ms = child, child_ms
    sampled_bounds = bounds[2:]
    by_bound = sampled_bounds.argsort()
    return Feasibility(
        lowest_ms=lowest_ms,
        median_ms=float(np.median(sampled_bounds)),
        highest_ms=float(bounds.max()),
        fastest=fastest,
        typical=sampled[int(by_bound[len(by_bound) // 2])],
        slowest=pool[int(bounds.argmax())],
    )


def _fastest(
    some: Sequence[Architecture], bounds: Bounds, keeps_limits: KeepsLimits
) -> tuple[Architecture, float]:
    """Return the fastest that keeps the limits, with its bound; infinite when none does."""
    kept = np.where([keeps_limits(architecture) for architecture in some], bounds, np.inf)
    best = int(kept.argmin())
    return some[best], float(kept[best])


def _rounded_up(value_ms: float) -> float:
    """Three significant digits, never below the value."""
    step = 10.0 ** (np.floor(np.log10(value_ms)) - 2)
    return float(np.ceil(value_ms / step) * step)
