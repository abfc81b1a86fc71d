"""A search: feasibility first, then evolution of the fitness under the predictor's bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automoe.architecture import Architecture
from automoe.budget import Feasibility, InfeasibleBudgetError, survey
from automoe.latency_model import LatencyModel
from automoe.progress import OnProgress, no_progress
from automoe.search.evolution import Evolution
from automoe.search.fitness import Fitness
from automoe.search.limits import is_within_limits, unmet_limits
from automoe.search.settings import SearchSettings
from automoe.search.state import SearchState
from automoe.space import SearchSpace


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
        candidates: Everything evaluated, best first.
        feasibility: The space's latencies.
    """

    candidates: tuple[Candidate, ...]
    feasibility: Feasibility


def search(
    space: SearchSpace,
    settings: SearchSettings,
    *,
    latency: LatencyModel,
    fitness: Fitness,
    state: SearchState,
    on_progress: OnProgress = no_progress,
) -> SearchOutcome:
    """Search, going on from ``state`` when it holds generations.

    Args:
        space: Where to search.
        settings: How.
        latency: Predicts milliseconds, with an upper bound.
        fitness: Of one architecture; less is better.
        state: Where each generation is kept.
        on_progress: Called after every evaluation, in units of evaluations.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit, and the nearest budget is
            named; or none keeps the other limits.
        SearchStateError: The state is damaged or of another search.
        ValueError: A fitness is not a finite number; nothing could be ranked.
    """

    def are_feasible(some: Sequence[Architecture]) -> list[bool]:
        upper = latency.upper_ms(some, confidence=settings.confidence)
        return [
            bool(bound <= settings.budget_ms) and is_within_limits(a, settings, latency.workload)
            for a, bound in zip(some, upper, strict=True)
        ]

    unmet = unmet_limits(space, settings, latency.workload)
    if unmet:
        raise InfeasibleBudgetError(f"No architecture of '{space.name}' can be returned: {unmet}.")

    feasibility = survey(
        space,
        lambda some: latency.upper_ms(some, confidence=settings.confidence),
        seed=settings.seed,
    )
    feasibility.require(settings.budget_ms, space.name)
    start = (feasibility.fastest, space.smallest())
    evolution = Evolution(space, settings, are_feasible=are_feasible, start=start)
    generations = state.load()
    for told in generations:
        evolution.tell(told)
    counted = _Counted(settings, sum(map(len, generations)), on_progress)
    while not evolution.is_finished:
        asked = evolution.ask()
        told = {architecture: counted(fitness, architecture) for architecture in asked}
        evolution.tell(told)
        generations.append(told)
        state.save(generations)
    if not any(generations):
        raise InfeasibleBudgetError(
            f"No architecture of '{space.name}' was found that keeps 'budget_ms' "
            f"{settings.budget_ms:g} and all limits together. Raise one of them."
        )
    return SearchOutcome(_ranked(generations, latency, settings.confidence), feasibility)


class _Counted:
    """Reports progress over all evaluations of the search."""

    def __init__(self, settings: SearchSettings, done: int, on_progress: OnProgress) -> None:
        later = (settings.generations - 1) * (settings.mutants + settings.crossovers)
        self._total = settings.population + later
        self._done = done
        self._best = float("inf")
        self._on_progress = on_progress

    def __call__(self, fitness: Fitness, architecture: Architecture) -> float:
        loss = fitness(architecture)
        if not math.isfinite(loss):
            raise ValueError(
                f"The loss of architecture {architecture.id} must be finite. Got {loss}; "
                "train the supernet with a lower learning rate."
            )
        self._done += 1
        self._best = min(self._best, loss)
        self._on_progress(self._done, max(self._total, self._done), f"best loss {self._best:.3f}")
        return loss


def _ranked(
    generations: Sequence[dict[Architecture, float]], latency: LatencyModel, confidence: float
) -> tuple[Candidate, ...]:
    found = [(a, loss, n) for n, told in enumerate(generations) for a, loss in told.items()]
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
