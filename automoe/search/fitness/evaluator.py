"""The fitness of a generation: in parallel, never twice, and on less text where that decides.

Successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and
hyperparameter optimization"): all are evaluated on a part of the text, the better half on
more of it, until those that are left are evaluated on all of it.
"""

import math
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from automoe.architecture.architecture import Architecture
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.validation import Fitness, SupernetFitness
from automoe.search.workers.pool import HERE, Workers

OnEvaluated = Callable[[float | None], None]


def ignore(_loss: float | None) -> None:
    """The `OnEvaluated` of who does not want to know."""


class OtherFilesError(ValueError):
    """A worker whose weights, text or code are not those that values are kept for."""


class Evaluator:
    """Evaluates architectures, many at once where there are workers for it.

    Args:
        fitness: Of one architecture; one for each stage of halving, from little text to all of
            it. A ``digest`` attribute says what its values depend on; without one they are
            kept for as long as this evaluator only.
        cache: What is known already of fitnesses with a digest.
        workers: Who evaluates; what they find does not depend on it.
    """

    def __init__(
        self, *fitness: Fitness, cache: FitnessCache | None = None, workers: Workers = HERE
    ) -> None:
        if not fitness:
            raise ValueError("'fitness' must be given at least once. Got none.")
        self._fitness = fitness
        # Once: what changes in the middle of a search must not be ranked with what was before.
        self._digests = {id(each): getattr(each, "digest", None) for each in fitness}
        self._cache = cache or FitnessCache()
        self._volatile = FitnessCache()
        self._workers = workers

    def __call__(
        self, architectures: Sequence[Architecture], on_evaluated: OnEvaluated = ignore
    ) -> dict[Architecture, float | None]:
        """The fitness of each in the order given; None for those that halving dropped.

        Args:
            architectures: Distinct ones.
            on_evaluated: Called once for each architecture, with its value or with None.

        Raises:
            ValueError: A fitness is not a finite number; nothing could be ranked.
            OtherFilesError: A worker has other files than those that the digest is of.
            WorkersUnavailableError: Workers keep dying; what was evaluated of a fitness with a
                digest is in the cache.
        """
        left = list(architectures)
        result: dict[Architecture, float | None] = dict.fromkeys(architectures)
        for fitness in self._fitness[:-1]:
            losses = self._evaluated(fitness, left)
            ranked = sorted(left, key=losses.__getitem__)
            kept = set(ranked[: math.ceil(len(ranked) / 2)])
            for _dropped in ranked[len(kept) :]:
                on_evaluated(None)  # its loss on less text compares with no other
            left = [a for a in left if a in kept]
        result |= self._evaluated(self._fitness[-1], left, on_evaluated)
        return result

    def _evaluated(
        self,
        fitness: Fitness,
        architectures: Sequence[Architecture],
        on_evaluated: OnEvaluated = ignore,
    ) -> dict[Architecture, float]:
        digest = self._digests[id(fitness)]
        cache = self._volatile if digest is None else self._cache
        name = str(id(fitness)) if digest is None else digest
        losses: dict[Architecture, float] = {}
        missing: list[tuple[str, Architecture]] = []
        for architecture in architectures:
            architecture_id = architecture.id
            if (known := cache.get(name, architecture_id)) is None:
                missing.append((architecture_id, architecture))
            else:
                losses[architecture] = known
                on_evaluated(known)
        called = fitness if digest is None else _OfSameFiles(fitness, digest)
        with closing(self._workers.run_all(called, [a for _, a in missing])) as outcomes:
            for place, value in outcomes:
                architecture_id, architecture = missing[place]
                losses[architecture] = _finite(value, architecture, fitness)
                cache.put(name, architecture_id, losses[architecture])
                on_evaluated(losses[architecture])
        return {a: losses[a] for a in architectures}


@dataclass(frozen=True, slots=True)
class _OfSameFiles:
    """A fitness that is computed from what it is kept for, or not at all.

    A node of a cluster may have an older copy of the files under the same path.

    Attributes:
        fitness: With a ``digest``.
        digest: What it was where the search runs.
    """

    fitness: Fitness
    digest: str

    def __call__(self, architecture: Architecture) -> float:
        """The fitness of one architecture.

        Raises:
            OtherFilesError: What it depends on is not the same here.
        """
        why = ""
        try:
            digest = getattr(self.fitness, "digest", None)
        except (OSError, ValueError) as error:
            digest, why = None, f" ({error})"
        if digest != self.digest:
            raise OtherFilesError(
                f"The fitness on host '{socket.gethostname()}' would be of other weights, text or "
                f"code than the search began with{why}. Copy them there, or search again if they "
                "changed."
            )
        return self.fitness(architecture)


def _finite(value: float, architecture: Architecture, fitness: Fitness) -> float:
    if not math.isfinite(value):
        is_loss = isinstance(fitness, SupernetFitness)
        remedy = (
            "train the supernet with a lower learning rate"
            if is_loss
            else "mend the objective, or train with a lower learning rate"
        )
        raise ValueError(
            f"The fitness of architecture {architecture.id} must be finite. Got {value}; {remedy}."
        )
    return float(value)
