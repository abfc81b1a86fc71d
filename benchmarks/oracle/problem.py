"""One search in a space of which everything is known, and how close it came."""

import numpy as np
from oracle.table import Oracle

from automoe.architecture import Architecture
from automoe.search import pareto

_MARGIN = 0.1  # of the true front's range, from its worst ends to the reference point


class Problem:
    """Find the least loss within a budget, or all trade-offs up to it.

    The loss is what costs. An architecture whose loss was asked for before, or whose latency,
    which is known without it, exceeds the budget, does not count.

    Args:
        oracle: What is known.
        budget_ms: Latency not to exceed.
        is_pareto: Whether all trade-offs are wanted.
        limit: Distinct architectures that may be evaluated.
    """

    def __init__(self, oracle: Oracle, budget_ms: float, *, is_pareto: bool, limit: int) -> None:
        self.oracle = oracle
        self.budget_ms = budget_ms
        self.is_pareto = is_pareto
        self._fits_N = oracle.latency_ms_N <= budget_ms
        self._limit = min(limit, int(self._fits_N.sum()))
        self._found: dict[int, None] = {}  # in the order of the evaluations

    @property
    def limit(self) -> int:
        """Distinct architectures that may be evaluated, no more than fit."""
        return self._limit

    @property
    def is_over(self) -> bool:
        """Whether all evaluations are used up."""
        return len(self._found) >= self._limit

    def evaluate(self, architecture: Architecture) -> tuple[float, float]:
        """The loss and the latency in ms; forgotten when all evaluations are used up."""
        row = self.oracle.rows[architecture]
        if self._fits_N[row] and not self.is_over:
            self._found[row] = None
        return float(self.oracle.loss_N[row]), float(self.oracle.latency_ms_N[row])

    def figures(self) -> dict[str, float]:
        """The evaluations used, and the regret or the share of the true front's hypervolume."""
        found = np.array(list(self._found))
        if self.is_pareto:
            return {"evaluations": len(found), "hypervolume": self._hypervolume(found)}
        loss_N = self.oracle.loss_N
        regret = loss_N[found].min() - loss_N[self._fits_N].min()
        best_after = loss_N[found].argmin() + 1
        return {"evaluations": len(found), "regret": float(regret), "best_after": int(best_after)}

    def _hypervolume(self, rows: np.ndarray) -> float:
        points_N2 = np.stack([self.oracle.loss_N, self.oracle.latency_ms_N], axis=1)
        within_N2 = points_N2[self._fits_N]
        front_N2 = within_N2[pareto.front(within_N2)]
        low_2, high_2 = front_N2.min(axis=0), front_N2.max(axis=0)
        reference_2 = high_2 + _MARGIN * (high_2 - low_2)
        found, whole = (pareto.hypervolume(x, reference_2) for x in (points_N2[rows], front_N2))
        return found / whole
