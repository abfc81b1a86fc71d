"""The fitness of a generation: in parallel, never twice, and on less text where that decides.

Successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and
hyperparameter optimization"): all are evaluated on a part of the text, the better half on
more of it, until those that are left are evaluated on all of it.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

from joblib import Parallel, delayed

from automoe.architecture import Architecture
from automoe.search.fitness import Fitness
from automoe.search.fitness_cache import FitnessCache

OnEvaluated = Callable[[float], None]


def ignore(_loss: float) -> None:
    """The `OnEvaluated` of who does not want to know."""


class Evaluator:
    """Evaluates architectures where joblib's current backend runs them.

    Args:
        fitness: Of one architecture; one for each stage of halving, from little text to all of
            it. A ``digest`` attribute names it in the cache; without one its name does.
        cache: What is known already.
    """

    def __init__(self, *fitness: Fitness, cache: FitnessCache | None = None) -> None:
        if not fitness:
            raise ValueError("'fitness' must be given at least once. Got none.")
        self._stages = [(_name(each), each) for each in fitness]
        self._cache = cache or FitnessCache()

    def __call__(
        self, architectures: Sequence[Architecture], on_evaluated: OnEvaluated = ignore
    ) -> dict[Architecture, float | None]:
        """The fitness of each in the order given; None for those that halving dropped.

        Args:
            architectures: Distinct ones.
            on_evaluated: Called with every value, once for each architecture.

        Raises:
            ValueError: A fitness is not a finite number; nothing could be ranked.
        """
        left, told = list(architectures), dict.fromkeys(architectures, None)
        result: dict[Architecture, float | None] = dict(told)
        for name, fitness in self._stages[:-1]:
            losses = self._evaluated(name, fitness, left)
            ranked = sorted(left, key=losses.__getitem__)
            kept = set(ranked[: math.ceil(len(ranked) / 2)])
            for dropped in ranked[len(kept) :]:
                on_evaluated(losses[dropped])
            left = [a for a in left if a in kept]
        name, fitness = self._stages[-1]
        result |= self._evaluated(name, fitness, left, on_evaluated)
        return result

    def _evaluated(
        self,
        name: str,
        fitness: Fitness,
        architectures: Sequence[Architecture],
        on_evaluated: OnEvaluated = ignore,
    ) -> dict[Architecture, float]:
        ids = [a.id for a in architectures]
        known = [self._cache.get(name, each) for each in ids]
        missing = [a for a, loss in zip(architectures, known, strict=True) if loss is None]
        fresh = Parallel(return_as="generator")(delayed(fitness)(a) for a in missing)
        losses: dict[Architecture, float] = {}
        for architecture, architecture_id, loss in zip(architectures, ids, known, strict=True):
            if loss is None:
                loss = _finite(next(fresh), architecture)
                self._cache.put(name, architecture_id, loss)
            losses[architecture] = loss
            on_evaluated(loss)
        return losses


def _finite(loss: float, architecture: Architecture) -> float:
    if not math.isfinite(loss):
        raise ValueError(
            f"The loss of architecture {architecture.id} must be finite. Got {loss}; "
            "train the supernet with a lower learning rate, or mend the objective."
        )
    return float(loss)


def _name(fitness: Fitness) -> str:
    inner = fitness.func if isinstance(fitness, partial) else fitness
    named = getattr(fitness, "digest", None)
    return named or f"{inner.__module__}:{getattr(inner, '__qualname__', type(inner).__name__)}"
