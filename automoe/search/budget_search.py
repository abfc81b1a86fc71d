"""Search: check feasibility, then improve the fitness by evolution under the upper bound."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.features import feature_table
from automoe.latency.infeasible_budget import none_keeps_all
from automoe.latency.latency_range import Feasibility
from automoe.latency.model import LatencyModel
from automoe.progress import OnProgress, no_progress
from automoe.search import pareto
from automoe.search.evolution import AreFeasible, Evolution, by_fitness
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.limits import is_within_limits
from automoe.search.preflight import require_feasible, surveyed
from automoe.search.prescreening import ridge_predictions
from automoe.search.state import Generation, SearchState
from automoe.settings.search import SearchSettings
from devices.rounding import rounded, rounded_up
from devices.shown import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An architecture that was evaluated.

    Attributes:
        architecture: The architecture.
        loss: The fitness; a smaller value is better.
        generation: The number of the generation that evaluated it, from 0.
        predicted_ms: The predicted latency.
        lower_ms: The lower bound of the latency.
        upper_ms: The upper bound of the latency, which is within the budget.
    """

    architecture: Architecture
    loss: float
    generation: int
    predicted_ms: float
    lower_ms: float
    upper_ms: float


@dataclass(frozen=True, slots=True, repr=False)
class SearchOutcome(Shown):
    """The outcome of a search.

    Attributes:
        candidates: The architectures that were evaluated on all sentences, best first.
        feasibility: The range of the space's latencies.
        n_evaluated: The number of architectures in all generations, with those that halving
            dropped and those whose fitness was known from an earlier search.
    """

    candidates: tuple[Candidate, ...]
    feasibility: Feasibility
    n_evaluated: int

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        best = self.candidates[0] if self.candidates else None
        return {
            "best architecture": best and best.architecture.id,
            "fitness": best and best.loss,
            "predicted": best
            and f"{rounded(best.predicted_ms)} ms, at most {rounded_up(best.upper_ms)}",
            "evaluated": self.n_evaluated,
            "on the Pareto front": len(self.front) if self.candidates else 0,
        }

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Return the Pareto front of fitness and upper bound, the best fitness first."""
        return tuple(self.candidates[i] for i in pareto.front(self._points))

    def hypervolume(self, reference: tuple[float, float]) -> float:
        """Return the area between the front and a reference point, in nats times ms.

        Args:
            reference: A loss and a latency in ms that are worse than all those of interest.
        """
        return pareto.hypervolume(self._points, np.array(reference))

    @property
    def _points(self) -> pareto.Points:
        return np.array([[c.loss, c.upper_ms] for c in self.candidates])


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
    """Search, and resume from the generations that ``state`` holds.

    Args:
        space: The search space.
        settings: The settings of the search.
        latency: The model that predicts milliseconds, with an upper bound.
        evaluator: The function that gives architectures their fitness; a smaller one is better.
        state: The file that keeps each generation.
        known: The fitness of architectures of an earlier search. Those that are feasible are the
            first generation, or a part of it when they are too few to be its parents.
        feasibility: The value of `surveyed`, when it was called before.
        on_progress: Called after every evaluation, in units of evaluations.

    Raises:
        InfeasibleBudgetError: No architecture is predicted to fit, and the message names the
            nearest budget; or no architecture keeps the other limits.
        SearchStateError: The state is damaged, belongs to another search or is in use.
        ValueError: A fitness is not a finite number, so that nothing can be ranked.
    """
    are_feasible = _feasibility(settings, latency)
    known = known or {}
    fits = are_feasible(list(known)) if known else []
    feasible_known = dict(compress(known.items(), fits))
    if not feasible_known:
        feasibility = require_feasible(space, settings, latency, feasibility)
    # The range comes from some architectures only. Known ones may fit although it says no.
    feasibility = feasibility or surveyed(space, settings, latency)
    upper_ms = partial(latency.upper_ms, confidence=settings.confidence)
    evolution = Evolution(
        space,
        settings,
        are_feasible=are_feasible,
        start=(*feasible_known, feasibility.fastest, space.smallest()),
        rank=TradeOffs(upper_ms) if settings.pareto else by_fitness,
        predict=ridge_predictions(partial(feature_table, workload=latency.workload)),
    )
    with state.held():
        generations = _evolved(
            evolution, feasible_known, settings, evaluator, state, on_progress, most=space.count
        )
    if not any(generations):
        raise none_keeps_all(
            space.name,
            budget_ms=settings.budget_ms,
            fastest_id=feasibility.fastest.id,
            lowest_ms=feasibility.lowest_ms,
        )
    candidates = _ranked(generations, latency, settings.confidence)
    return SearchOutcome(candidates, feasibility, n_evaluated=sum(map(len, generations)))


def _evolved(
    evolution: Evolution,
    known: Generation,
    settings: SearchSettings,
    evaluator: Evaluator,
    state: SearchState,
    on_progress: OnProgress,
    *,
    most: int,
) -> list[Generation]:
    """Resume from the generations on disk, and return all generations of the search."""
    generations: list[Generation] = [*state.load()]
    if not generations and len(known) >= settings.parents:
        generations = [known]
        state.append(known)
    for generation in generations:
        evolution.tell(generation)
    n_kept = len(generations)
    progress = _Progress(settings, generations, on_progress, most)
    while not evolution.is_finished:
        evaluated = _evaluated(evolution.ask(), known, evaluator, progress)
        evolution.tell(evaluated)
        generations.append(evaluated)
        if any(
            generations
        ):  # a search without candidates leaves no file, so that it can be corrected
            for kept in generations[n_kept:]:
                state.append(kept)
            n_kept = len(generations)
    return generations


def _evaluated(
    asked: Sequence[Architecture],
    known: Generation,
    evaluator: Evaluator,
    progress: "_Progress",
) -> dict[Architecture, float | None]:
    """Return a generation's fitness. Halving cannot drop an architecture whose fitness is known."""
    fresh = evaluator([a for a in asked if a not in known], progress)
    for architecture in asked:
        if architecture in known:
            progress(known[architecture])
    return {a: known[a] if a in known else fresh[a] for a in asked}


class TradeOffs:
    """A ranking by fitness and latency together, as in NSGA-II.

    Args:
        upper_ms: A function that returns the upper bounds of architectures' latencies.
    """

    def __init__(self, upper_ms: Callable[[Sequence[Architecture]], NDArray[np.float64]]) -> None:
        self._upper_ms = upper_ms
        self._known: dict[Architecture, float] = {}

    def __call__(self, fitness: Mapping[Architecture, float]) -> list[Architecture]:
        """Return the architectures by `pareto.ranked`, the best one first."""
        fresh = [a for a in fitness if a not in self._known]
        if fresh:
            # A resumed search predicts in other batches, which changes the last digits.
            upper_ms = (float(f"{ms:.9g}") for ms in self._upper_ms(fresh))
            self._known |= dict(zip(fresh, upper_ms, strict=True))
        ranked = list(fitness)
        points_N2 = np.array([[fitness[a], self._known[a]] for a in ranked]).reshape(-1, 2)
        return [ranked[i] for i in pareto.ranked(points_N2)]


def _feasibility(settings: SearchSettings, latency: LatencyModel) -> AreFeasible:
    """Return the function that tells which architectures keep the budget and every limit."""

    def are_feasible(candidates: Sequence[Architecture]) -> list[bool]:
        upper_ms = latency.upper_ms(candidates, confidence=settings.confidence)
        return [
            bool(bound <= settings.budget_ms) and is_within_limits(a, settings, latency.workload)
            for a, bound in zip(candidates, upper_ms, strict=True)
        ]

    return are_feasible


class _Progress:
    """The progress of a search, in evaluations."""

    def __init__(
        self,
        settings: SearchSettings,
        generations: Sequence[Generation],
        on_progress: OnProgress,
        most: int,
    ) -> None:
        first = len(generations[0]) if generations else settings.population
        later = settings.evaluations(settings.generations) - settings.population
        self._total = min(first + later, most)
        self._done = sum(map(len, generations))
        known = (loss for each in generations for loss in each.values() if loss is not None)
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
    """Return the candidates of all generations, best first, with their bounds."""
    evaluated = [
        (architecture, loss, n)
        for n, generation in enumerate(generations)
        for architecture, loss in generation.items()
        if loss is not None
    ]
    bounds = latency.predict([a for a, _, _ in evaluated], confidence=confidence, searched=True)
    candidates = (
        Candidate(
            architecture=architecture,
            loss=loss,
            generation=n,
            **{str(name): float(ms) for name, ms in row.items()},
        )
        for (architecture, loss, n), row in zip(evaluated, bounds.to_dict("records"), strict=True)
    )
    return tuple(sorted(candidates, key=lambda candidate: candidate.loss))
