"""Evaluate the fitness of a generation in parallel, never twice, with successive halving.

Successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and
hyperparameter optimization"): all architectures are evaluated on a part of the text, the better
half on more of it, and the last ones on all of it.
"""

import math
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean
from time import monotonic

from automoe.architecture.architecture import Architecture
from automoe.search.fitness.cache import FitnessCache
from automoe.search.fitness.validation import Fitness, SupernetFitness
from automoe.search.workers.pool import HERE, Workers

OnEvaluated = Callable[[float | None], None]
OnTimed = Callable[[float], None]

_N_TIMED = 3  # besides the first one, which reads the files
_TIMED_S = 2.0  # after which no more are timed


def ignore(_loss: float | None) -> None:
    """Do nothing; the default `OnEvaluated`."""


class OtherFilesError(ValueError):
    """A worker has other weights, text or code than the process that started the search."""


class Evaluator:
    """A function that evaluates many architectures, in parallel where there are workers.

    Args:
        fitness: The fitness of one architecture; one for each stage of halving, the last one on
            all of the text. Its attribute ``digest`` names everything that its values depend on.
            Values of a fitness without it are kept only as long as this evaluator.
        cache: The values that are known of fitnesses with a digest.
        workers: The evaluation workers. The values do not depend on them.
        on_timed: Called once, before most of the first architectures are evaluated, with the
            seconds that one takes in all stages of halving, on average. A few are evaluated in
            this process to know it, and not again.
    """

    def __init__(
        self,
        *fitness: Fitness,
        cache: FitnessCache | None = None,
        workers: Workers = HERE,
        on_timed: OnTimed | None = None,
    ) -> None:
        if not fitness:
            raise ValueError("'fitness' must be given at least once. Got none.")
        self._fitness = fitness
        # Read once: values from before and after a change of files must not be ranked together.
        self._digests = {id(each): getattr(each, "digest", None) for each in fitness}
        self._cache = cache or FitnessCache()
        self._volatile = FitnessCache()
        self._workers = workers
        self._on_timed = on_timed

    def __call__(
        self, architectures: Sequence[Architecture], on_evaluated: OnEvaluated = ignore
    ) -> dict[Architecture, float | None]:
        """Return the fitness of each architecture, in order; None where halving dropped it.

        Args:
            architectures: The architectures, all distinct.
            on_evaluated: Called once for each architecture, with its value or with None.

        Raises:
            ValueError: A fitness is not a finite number, so that nothing can be ranked.
            OtherFilesError: A worker has other files than those of the digest.
            WorkersUnavailableError: Workers keep dying. The values of a fitness with a digest
                are in the cache.
        """
        if self._on_timed is not None:
            self._time(architectures, self._on_timed)
        left = list(architectures)
        result: dict[Architecture, float | None] = dict.fromkeys(architectures)
        for fitness in self._fitness[:-1]:
            losses = self._evaluated(fitness, left)
            ranked = sorted(left, key=losses.__getitem__)
            kept = set(ranked[: math.ceil(len(ranked) / 2)])
            for _dropped in ranked[len(kept) :]:
                on_evaluated(None)  # a loss on less text cannot be compared
            left = [a for a in left if a in kept]
        result |= self._evaluated(self._fitness[-1], left, on_evaluated)
        return result

    def _time(self, architectures: Sequence[Architecture], on_timed: OnTimed) -> None:
        """Evaluate a few unknown architectures here, and tell the time that one takes."""
        cache, name = self._kept(self._fitness[0])
        fresh = [a for a in architectures if cache.get(name, a.id) is None]
        if len(fresh) <= _N_TIMED:
            return
        # The first ones of a search are small, so these are taken from all.
        first, *others = fresh[:: len(fresh) // (_N_TIMED + 1)][: _N_TIMED + 1]
        self._seconds(first)
        seconds: list[float] = []
        while others and sum(seconds) < _TIMED_S:
            seconds.append(self._seconds(others.pop()))
        self._on_timed = None
        on_timed(fmean(seconds))

    def _seconds(self, architecture: Architecture) -> float:
        """Return the seconds of one; a stage counts for the share that reaches it."""
        seconds = 0.0
        for stage, fitness in enumerate(self._fitness):
            start = monotonic()
            self._evaluated(fitness, [architecture], workers=HERE)
            seconds += (monotonic() - start) / 2**stage
        return seconds

    def _kept(self, fitness: Fitness) -> tuple[FitnessCache, str]:
        """Return the cache of a fitness, and the name of the fitness there."""
        digest = self._digests[id(fitness)]
        return (self._volatile, str(id(fitness))) if digest is None else (self._cache, digest)

    def _evaluated(
        self,
        fitness: Fitness,
        architectures: Sequence[Architecture],
        on_evaluated: OnEvaluated = ignore,
        *,
        workers: Workers | None = None,
    ) -> dict[Architecture, float]:
        cache, name = self._kept(fitness)
        digest = self._digests[id(fitness)]
        losses: dict[Architecture, float] = {}
        missing: list[tuple[str, Architecture]] = []
        for architecture in architectures:
            architecture_id = architecture.id
            if (known := cache.get(name, architecture_id)) is None:
                missing.append((architecture_id, architecture))
            else:
                losses[architecture] = known
                on_evaluated(known)
        called = fitness if digest is None else _CheckedFitness(fitness, digest)
        run_all = (workers or self._workers).run_all
        with closing(run_all(called, [a for _, a in missing])) as outcomes:
            for place, value in outcomes:
                architecture_id, architecture = missing[place]
                losses[architecture] = _finite(value, architecture, fitness)
                cache.put(name, architecture_id, losses[architecture])
                on_evaluated(losses[architecture])
        return {a: losses[a] for a in architectures}


@dataclass(frozen=True, slots=True)
class _CheckedFitness:
    """A fitness that refuses to compute when the worker has other files than its digest is of.

    A node of a cluster may have an older copy of the files under the same path.

    Attributes:
        fitness: The fitness, which has a ``digest``.
        digest: The digest on the machine of the search.
    """

    fitness: Fitness
    digest: str

    def __call__(self, architecture: Architecture) -> float:
        """Return the fitness of one architecture.

        Raises:
            OtherFilesError: The digest is not the same on this machine.
        """
        why = ""
        try:
            digest = getattr(self.fitness, "digest", None)
        except (OSError, ValueError) as error:
            digest, why = None, f" ({error})"
        if digest != self.digest:
            raise OtherFilesError(
                f"The fitness on host '{socket.gethostname()}' would be of other weights, text or "
                f"code than the search began with{why}. Copy the files there, or search again if "
                "they changed."
            )
        return self.fitness(architecture)


def _finite(value: float, architecture: Architecture, fitness: Fitness) -> float:
    if not math.isfinite(value):
        is_loss = isinstance(fitness, SupernetFitness)
        remedy = "train the supernet" if is_loss else "correct the objective, or train"
        raise ValueError(
            f"The fitness of architecture {architecture.id} must be finite. Got {value}; {remedy} "
            "with a lower learning rate."
        )
    return float(value)
