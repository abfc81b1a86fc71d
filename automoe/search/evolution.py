"""Evolve architectures by ask and tell, without evaluating any and without repeating any.

Each generation draws from a generator of its own, seeded by the search's seed and the generation's
number. So a search that is told its earlier generations resumes exactly.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search.prescreening import PredictFitness
from automoe.settings.search import EvolutionSettings

AreFeasible = Callable[[Sequence[Architecture]], Sequence[bool]]
Rank = Callable[[Mapping[Architecture, float]], Sequence[Architecture]]

_MAX_DRAWS = 60  # most batches of draws, after which a generation stays smaller
_MAX_CHILD_DRAWS = 20  # the same for children: similar parents have few new ones
_DRAWS_PER_MISSING = 2  # large batches, because a predictor's call takes longer than its rows
_FALLBACK_PROBABILITY = 0.1
_FEWEST_KNOWN = 10  # architectures with a fitness, below which none is predicted


def by_fitness(fitness: Mapping[Architecture, float]) -> list[Architecture]:
    """Return the architectures, the best first. Equal ones keep their order."""
    # The items are sorted, because looking up each one would hash thousands of architectures.
    return [architecture for architecture, _ in sorted(fitness.items(), key=itemgetter(1))]


class Evolution:
    """A population whose fitness improves from generation to generation; a smaller one is better.

    Args:
        space: The space from which architectures are drawn.
        settings: The sizes, the probability and the seed.
        are_feasible: A function that tells which architectures may be evaluated.
        start: Architectures of the first generation, as far as they are feasible. Their mutants
            fill it when random draws are rarely feasible.
        rank: A function that orders all architectures with a fitness, the best parents first.
        predict: A function that predicts the fitness of children, which are prescreened by it.
            None evaluates children as they are drawn.
    """

    def __init__(
        self,
        space: SearchSpace,
        settings: EvolutionSettings,
        *,
        are_feasible: AreFeasible,
        start: Sequence[Architecture] = (),
        rank: Rank = by_fitness,
        predict: PredictFitness | None = None,
    ) -> None:
        self._space = space
        self._settings = settings
        self._are_feasible = are_feasible
        self._start = tuple(start)
        self._rank = rank
        self._predict = predict
        self._fitness: dict[Architecture, float] = {}
        self._dropped: set[Architecture] = set()
        self.generation = 0

    @property
    def is_finished(self) -> bool:
        """Return whether the fitness of every generation was told."""
        return self.generation >= self._settings.generations

    def ask(self) -> list[Architecture]:
        """Return the next generation: distinct, new, feasible architectures; [] if none is left."""
        rng = Random(f"evolution {self._settings.seed} {self.generation}")
        if self.generation == 0:
            return self._first(rng)
        if self._settings.random:
            n_drawn = self._settings.mutants + self._settings.crossovers
            return self._distinct(lambda: self._space.sample(rng), n_drawn, ())
        parents = self.ranked()[: self._settings.parents]
        if not parents:
            return []
        mutants = self._bred(lambda: self._mutant(parents, rng), self._settings.mutants, ())
        children = self._bred(
            lambda: self._space.crossover(rng.choice(parents), rng.choice(parents), rng),
            self._settings.crossovers,
            mutants,
            max_draws=_MAX_CHILD_DRAWS,
        )
        born = [*mutants, *children]
        # Similar parents have few new children; mutants fill the generation.
        n_missing = self._settings.crossovers - len(children)
        return [*born, *self._bred(lambda: self._mutant(parents, rng), n_missing, born)]

    def tell(self, fitness: Mapping[Architecture, float | None]) -> None:
        """Take the fitness of what `ask` returned, and end the generation.

        An architecture without a fitness is never asked again and never becomes a parent.
        """
        known = {a: value for a, value in fitness.items() if value is not None}
        self._fitness.update(known)
        self._dropped.update(fitness.keys() - known.keys())
        self.generation += 1

    def ranked(self) -> list[Architecture]:
        """Return all architectures that have a fitness, best first."""
        return list(self._rank(self._fitness))

    def _first(self, rng: Random) -> list[Architecture]:
        wanted = self._settings.population
        start = self._feasible(dict.fromkeys(self._start))[:wanted]
        drawn = self._distinct(lambda: self._space.sample(rng), wanted - len(start), start)
        first = [*start, *drawn]
        if not first:
            return []
        near = self._distinct(
            lambda: self._space.mutate(rng.choice(first), rng, probability=_FALLBACK_PROBABILITY),
            wanted - len(first),
            first,
        )
        return [*first, *near]

    def _mutant(self, parents: Sequence[Architecture], rng: Random) -> Architecture:
        return self._space.mutate(
            rng.choice(parents), rng, probability=self._settings.mutation_probability
        )

    def _bred(
        self,
        draw: Callable[[], Architecture],
        n: int,
        taken: Iterable[Architecture],
        *,
        max_draws: int = _MAX_DRAWS,
    ) -> list[Architecture]:
        """Return up to ``n`` new children: of several times as many, those that promise most."""
        predict = self._predict if len(self._fitness) >= _FEWEST_KNOWN else None
        n_drawn = n * self._settings.prescreen if predict else n
        drawn = self._distinct(draw, n_drawn, taken, max_draws=max_draws)
        if predict is None or len(drawn) <= n:
            return drawn
        predicted = map(float, predict(self._fitness, drawn))
        return list(self._rank(dict(zip(drawn, predicted, strict=True))))[:n]

    def _distinct(
        self,
        draw: Callable[[], Architecture],
        n: int,
        taken: Iterable[Architecture],
        *,
        max_draws: int = _MAX_DRAWS,
    ) -> list[Architecture]:
        """Return up to ``n`` feasible architectures that were neither told nor ``taken``."""
        seen = {*self._fitness, *self._dropped, *taken}
        distinct: list[Architecture] = []
        for _ in range(max_draws):
            n_missing = n - len(distinct)
            if n_missing == 0:
                break
            drawn = dict.fromkeys(draw() for _ in range(_DRAWS_PER_MISSING * n_missing))
            fresh = [a for a in drawn if a not in seen]
            seen.update(fresh)
            distinct += self._feasible(fresh)[:n_missing]
        return distinct

    def _feasible(self, candidates: Iterable[Architecture]) -> list[Architecture]:
        drawn = list(candidates)
        return list(compress(drawn, self._are_feasible(drawn))) if drawn else []
