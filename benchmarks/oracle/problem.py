"""This module states a search in the oracle's space and scores the outcome."""

from collections import Counter

import numpy as np
from oracle.table import Oracle

from automoe.architecture.architecture import Architecture
from automoe.search import pareto

_MARGIN = 0.1  # the reference point is so far beyond the true front, as a share of its range


class SearchIsOver(Exception):  # noqa: N818 - this is not an error
    """The search has its final result and must end."""


class Problem:
    """The task to find the smallest loss within a budget, or the front up to the budget.

    Only an evaluation costs anything. An architecture that was evaluated before, or whose latency
    exceeds the budget, does not count as one.

    Args:
        oracle: The losses and latencies of the space.
        budget_ms: The latency in milliseconds that must not be exceeded.
        is_pareto: Whether the front is wanted.
        limit: The most architectures that may be evaluated.
    """

    def __init__(self, oracle: Oracle, budget_ms: float, *, is_pareto: bool, limit: int) -> None:
        self.oracle = oracle
        self.budget_ms = budget_ms
        self.is_pareto = is_pareto
        self._fits_N = oracle.latency_ms_N <= budget_ms
        self.limit = min(limit, int(self._fits_N.sum()))
        self._least = oracle.loss_N[self._fits_N].min()
        self._has_best = False
        self._evaluated: dict[int, None] = {}  # in the order of the evaluations
        self._proposed: Counter[int] = Counter()

    def evaluate(self, architecture: Architecture) -> tuple[float, float]:
        """Return the loss and the latency in ms.

        Raises:
            SearchIsOver: The evaluations are used up, or the best architecture was evaluated.
        """
        row = self.oracle.rows[architecture]
        self._proposed[row] += 1
        if self._fits_N[row] and row not in self._evaluated:
            if len(self._evaluated) == self.limit or self._has_best:
                raise SearchIsOver
            self._evaluated[row] = None
            self._has_best = not self.is_pareto and self.oracle.loss_N[row] == self._least
        return float(self.oracle.loss_N[row]), float(self.oracle.latency_ms_N[row])

    def knows(self, architecture: Architecture) -> bool:
        """Return whether an architecture was proposed before, within the budget or not."""
        return self.oracle.rows[architecture] in self._proposed

    def figures(self) -> dict[str, float]:
        """Return the counts of evaluations and proposals, and the regret or the hypervolume.

        The hypervolume is a share of that of the true front.
        """
        rows = np.array(list(self._evaluated))
        used = {"evaluations": len(rows), "proposals": self._proposed.total()}
        if self.is_pareto:
            return {**used, "hypervolume": self._hypervolume(rows)}
        return {**used, "regret": float(self.oracle.loss_N[rows].min() - self._least)}

    def _hypervolume(self, rows: np.ndarray) -> float:
        points_N2 = np.stack([self.oracle.loss_N, self.oracle.latency_ms_N], axis=1)
        within_N2 = points_N2[self._fits_N]
        front_N2 = within_N2[pareto.front(within_N2)]
        low_2, high_2 = front_N2.min(axis=0), front_N2.max(axis=0)
        reference_2 = high_2 + _MARGIN * (high_2 - low_2)
        own, whole = (pareto.hypervolume(x, reference_2) for x in (points_N2[rows], front_N2))
        return own / whole
