"""One search in a space of which everything is known, and how close it came."""

from collections import Counter

import numpy as np
from oracle.table import Oracle

from automoe.architecture.architecture import Architecture
from automoe.search import pareto

_MARGIN = 0.1  # of the true front's range, from its worst ends to the reference point


class SearchIsOver(Exception):  # noqa: N818 - it is no error
    """Nothing that a search does from now on can change its result."""


class Problem:
    """Find the least loss within a budget, or all trade-offs up to it.

    The loss is what costs. An architecture whose loss was asked for before, or whose latency,
    which is known without it, exceeds the budget, does not count.

    Args:
        oracle: What is known.
        budget_ms: Latency not to exceed.
        is_pareto: Whether all trade-offs are wanted.
        limit: Distinct architectures that may be evaluated; at most those that fit.
    """

    def __init__(self, oracle: Oracle, budget_ms: float, *, is_pareto: bool, limit: int) -> None:
        self.oracle = oracle
        self.budget_ms = budget_ms
        self.is_pareto = is_pareto
        self._fits_N = oracle.latency_ms_N <= budget_ms
        self.limit = min(limit, int(self._fits_N.sum()))
        self._least = oracle.loss_N[self._fits_N].min()
        self._has_best = False
        self._found: dict[int, None] = {}  # in the order of the evaluations
        self._proposed: Counter[int] = Counter()

    def evaluate(self, architecture: Architecture) -> tuple[float, float]:
        """The loss and the latency in ms.

        Raises:
            SearchIsOver: Evaluations are used up, or the best there is was found before.
        """
        row = self.oracle.rows[architecture]
        self._proposed[row] += 1
        if self._fits_N[row] and row not in self._found:
            if len(self._found) == self.limit or self._has_best:
                raise SearchIsOver
            self._found[row] = None
            self._has_best = not self.is_pareto and self.oracle.loss_N[row] == self._least
        return float(self.oracle.loss_N[row]), float(self.oracle.latency_ms_N[row])

    def knows(self, architecture: Architecture) -> bool:
        """Whether it was proposed before, within the budget or not."""
        return self.oracle.rows[architecture] in self._proposed

    def figures(self) -> dict[str, float]:
        """The evaluations used, and the regret or the share of the true front's hypervolume."""
        found = np.array(list(self._found))
        used = {"evaluations": len(found), "proposals": self._proposed.total()}
        if self.is_pareto:
            return {**used, "hypervolume": self._hypervolume(found)}
        return {**used, "regret": float(self.oracle.loss_N[found].min() - self._least)}

    def _hypervolume(self, rows: np.ndarray) -> float:
        points_N2 = np.stack([self.oracle.loss_N, self.oracle.latency_ms_N], axis=1)
        within_N2 = points_N2[self._fits_N]
        front_N2 = within_N2[pareto.front(within_N2)]
        low_2, high_2 = front_N2.min(axis=0), front_N2.max(axis=0)
        reference_2 = high_2 + _MARGIN * (high_2 - low_2)
        found, whole = (pareto.hypervolume(x, reference_2) for x in (points_N2[rows], front_N2))
        return found / whole
