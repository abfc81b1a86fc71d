"""A search: feasibility first, then evolution of the fitness under the predictor's bound."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.budget import Feasibility, InfeasibleBudgetError
from automoe.latency.model import LatencyModel
from automoe.progress import OnProgress, no_progress
from automoe.search import pareto
from automoe.search.evolution import AreFeasible, Evolution, by_fitness
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.limits import is_within_limits
from automoe.search.preflight import require_feasible, surveyed
from automoe.search.state import Generation, SearchState
from automoe.settings.search import SearchSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An architecture that was evaluated.

    Attributes:
        architecture: Its description.
        loss: Its fitness; less is better.
        generation: In which it was found, from 0.
        predicted_ms: Latency.
        lower_ms: Lower bound of it.
        upper_ms: Upper bound of it, within the budget.
    """

    architecture: Architecture
    loss: float
    generation: int
    predicted_ms: float
    lower_ms: float
    upper_ms: float


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        candidates: Everything evaluated on all of the text, best first.
        feasibility: The space's latencies.
        n_evaluated: Architectures whose fitness was asked for, on all of the text or less, or
            known from an earlier search.
    """

    candidates: tuple[Candidate, ...]
    feasibility: Feasibility
    n_evaluated: int

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The candidates than which no other is both better and faster, best first."""
        points_N2 = np.array([[c.loss, c.upper_ms] for c in self.candidates])
        return tuple(self.candidates[i] for i in pareto.front(points_N2))

    def hypervolume(self, reference: tuple[float, float]) -> float:
        """The area between the front and a reference point, in nats times ms.

        Args:
            reference: A loss and a latency in ms that are worse than all of interest.
        """
        points_N2 = np.array([[c.loss, c.upper_ms] for c in self.candidates])
        return pareto.hypervolume(points_N2, np.array(reference))


def search(
    space: SearchSpace,
    settings: SearchSettings,
    *,
    latency: LatencyModel,
    evaluator: Evaluator,
    state: SearchState,
    known: Mapping[Architecture, float] | None = None,
    feasibility: Feasibility | None = None,
    on_progress: OnProgress = no_progress,
) -> SearchOutcome:
    """Search, going on from ``state`` when it holds generations.

    Args:
        space: Where to search.
        settings: How.
        latency: Predicts milliseconds, with an upper bound.
        evaluator: Gives architectures their fitness; less is better.
        state: Where each generation is kept.
        known: The fitness of architectures of an earlier search: those that fit are the first
            generation, or a part of it when they are too few to be its parents.
        feasibility: What `surveyed` returned, where it was called before.
        on_progress: Called after every evaluation, in units of evaluations.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit, and the nearest budget is
            named; or none keeps the other limits.
        SearchStateError: The state is damaged, of another search, or in use by one.
        ValueError: A fitness is not a finite number; nothing could be ranked.
    """
    are_feasible = _feasibility(settings, latency)
    begun = _that_fit(known or {}, are_feasible)
    if not begun:
        feasibility = require_feasible(space, settings, latency, feasibility)
    # A survey is a look at some: what is known may be faster.
    feasibility = feasibility or surveyed(space, settings, latency)
    upper_ms = partial(latency.upper_ms, confidence=settings.confidence)
    evolution = Evolution(
        space,
        settings,
        are_feasible=are_feasible,
        start=(*begun, feasibility.fastest, space.smallest()),
        rank=TradeOffs(upper_ms) if settings.pareto else by_fitness,
    )
    with state.held():
        generations = _evolved(evolution, begun, settings, evaluator, state, on_progress)
    if not any(generations):
        raise InfeasibleBudgetError(
            f"No architecture of '{space.name}' was found that keeps 'budget_ms' "
            f"{settings.budget_ms:g} and all limits together. The fastest seen that keeps the "
            f"other limits, {feasibility.fastest.id}, takes at most {feasibility.lowest_ms:.4g} "
            "ms: raise one of them."
        )
    candidates = _ranked(generations, latency, settings.confidence)
    return SearchOutcome(candidates, feasibility, n_evaluated=sum(map(len, generations)))


def _evolved(
    evolution: Evolution,
    begun: Generation,
    settings: SearchSettings,
    evaluator: Evaluator,
    state: SearchState,
    on_progress: OnProgress,
) -> list[Generation]:
    """Go on from the generations that are kept, and return all of them in the end."""
    generations: list[Generation] = [*state.load()]
    if not generations and len(begun) >= settings.parents:
        generations = [begun]
        state.append(begun)
    for told in generations:
        evolution.tell(told)
    n_kept = len(generations)
    progress = _Progress(settings, generations, on_progress)
    while not evolution.is_finished:
        evaluated = _evaluated(evolution.ask(), begun, evaluator, progress)
        evolution.tell(evaluated)
        generations.append(evaluated)
        if any(generations):  # or nothing was begun that a correction could spoil
            for kept in generations[n_kept:]:
                state.append(kept)
            n_kept = len(generations)
    return generations


def _that_fit(
    known: Mapping[Architecture, float], are_feasible: AreFeasible
) -> dict[Architecture, float | None]:
    """What is known and fits, as if it had been evaluated."""
    some = list(known)
    fits = are_feasible(some) if some else []
    return {a: known[a] for a, is_fit in zip(some, fits, strict=True) if is_fit}


def _evaluated(
    asked: Sequence[Architecture],
    known: Generation,
    evaluator: Evaluator,
    progress: "_Progress",
) -> dict[Architecture, float | None]:
    """A generation's fitness; what is known already is not put to the test of less text."""
    found = evaluator([a for a in asked if a not in known], progress)
    for architecture in asked:
        if architecture in known:
            progress(known[architecture])
    return {a: known[a] if a in known else found[a] for a in asked}


class TradeOffs:
    """Ranks by loss and latency together, as NSGA-II does.

    Args:
        upper_ms: The latency of architectures.
    """

    def __init__(self, upper_ms: Callable[[Sequence[Architecture]], NDArray[np.float64]]) -> None:
        self._upper_ms = upper_ms
        self._known: dict[Architecture, float] = {}

    def __call__(self, fitness: Mapping[Architecture, float]) -> list[Architecture]:
        """The architectures, those first that are best and loneliest."""
        fresh = [a for a in fitness if a not in self._known]
        if fresh:
            # A search that goes on predicts in other batches, which moves the last digits.
            upper_ms = (float(f"{ms:.9g}") for ms in self._upper_ms(fresh))
            self._known |= dict(zip(fresh, upper_ms, strict=True))
        some = list(fitness)
        points_N2 = np.array([[fitness[a], self._known[a]] for a in some]).reshape(-1, 2)
        return [some[i] for i in pareto.ranked(points_N2)]


def _feasibility(settings: SearchSettings, latency: LatencyModel) -> AreFeasible:
    """Which of some architectures keep the budget and every other limit."""

    def are_feasible(some: Sequence[Architecture]) -> list[bool]:
        upper_ms = latency.upper_ms(some, confidence=settings.confidence)
        return [
            bool(bound <= settings.budget_ms) and is_within_limits(a, settings, latency.workload)
            for a, bound in zip(some, upper_ms, strict=True)
        ]

    return are_feasible


class _Progress:
    """Reports progress over all evaluations of the search."""

    def __init__(
        self, settings: SearchSettings, generations: Sequence[Generation], on_progress: OnProgress
    ) -> None:
        later = (settings.generations - 1) * (settings.mutants + settings.crossovers)
        first = len(generations[0]) if generations else settings.population
        self._total = first + later
        self._done = sum(map(len, generations))
        known = (loss for told in generations for loss in told.values() if loss is not None)
        self._best = min(known, default=float("inf"))
        self._on_progress = on_progress

    def __call__(self, loss: float | None) -> None:
        self._done += 1
        self._best = self._best if loss is None else min(self._best, loss)
        note = f"best {self._best:.4g}" if math.isfinite(self._best) else ""
        self._on_progress(self._done, max(self._total, self._done), note)


def _ranked(
    generations: Sequence[Generation], latency: LatencyModel, confidence: float
) -> tuple[Candidate, ...]:
    found = [
        (architecture, loss, n)
        for n, told in enumerate(generations)
        for architecture, loss in told.items()
        if loss is not None
    ]
    bounds = latency.predict([a for a, _, _ in found], confidence=confidence, searched=True)
    rows = zip(found, bounds.to_dict("records"), strict=True)
    candidates = (
        Candidate(
            architecture=architecture,
            loss=loss,
            generation=generation,
            predicted_ms=float(row["predicted_ms"]),
            lower_ms=float(row["lower_ms"]),
            upper_ms=float(row["upper_ms"]),
        )
        for (architecture, loss, generation), row in rows
    )
    return tuple(sorted(candidates, key=lambda candidate: candidate.loss))
