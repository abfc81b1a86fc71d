"""Evolution as ask and tell: it never evaluates, never repeats, and always ends.

Each generation draws from its own generator, seeded by the search's seed and its number, so a
search that is told what was found before goes on exactly where it stood.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.settings.search import EvolutionSettings

AreFeasible = Callable[[Sequence[Architecture]], Sequence[bool]]
Rank = Callable[[Mapping[Architecture, float]], Sequence[Architecture]]

_MAX_DRAWS = 60  # batches of draws per request; what is not found by then is left out
_MAX_CHILD_DRAWS = 20  # the same of children, of which alike parents have few that are new
_DRAWS_PER_MISSING = 2  # one call of a predictor costs as much as dozens of rows of it
_FALLBACK_PROBABILITY = 0.1


def by_fitness(fitness: Mapping[Architecture, float]) -> list[Architecture]:
    """Best first; the earlier wins a tie."""
    # By the items: looking up each would hash thousands of architectures in every generation.
    return [architecture for architecture, _ in sorted(fitness.items(), key=itemgetter(1))]


class Evolution:
    """A population that gets better at a fitness, of which less is better.

    Args:
        space: Where architectures come from.
        settings: Sizes, probability and seed.
        are_feasible: Which of some architectures may be evaluated at all.
        start: Feasible architectures to begin with; from them the first generation is filled
            when random draws are rarely feasible.
        rank: Orders everything that has a fitness, the best parents first.
    """

    def __init__(
        self,
        space: SearchSpace,
        settings: EvolutionSettings,
        *,
        are_feasible: AreFeasible,
        start: Sequence[Architecture] = (),
        rank: Rank = by_fitness,
    ) -> None:
        self._space = space
        self._settings = settings
        self._are_feasible = are_feasible
        self._start = tuple(start)
        self._rank = rank
        self._fitness: dict[Architecture, float] = {}
        self._dropped: set[Architecture] = set()
        self.generation = 0

    @property
    def is_finished(self) -> bool:
        """Whether every generation was told."""
        return self.generation >= self._settings.generations

    def ask(self) -> list[Architecture]:
        """The next generation: feasible, distinct, never asked before. Empty when none is left."""
        rng = Random(f"evolution {self._settings.seed} {self.generation}")
        if self.generation == 0:
            return self._first(rng)
        if self._settings.random:
            n_drawn = self._settings.mutants + self._settings.crossovers
            return self._distinct(lambda: self._space.sample(rng), n_drawn, ())
        parents = self.ranked()[: self._settings.parents]
        if not parents:
            return []
        mutants = self._distinct(lambda: self._mutant(parents, rng), self._settings.mutants, ())
        children = self._distinct(
            lambda: self._child(parents, rng),
            self._settings.crossovers,
            mutants,
            max_draws=_MAX_CHILD_DRAWS,
        )
        born = [*mutants, *children]
        # Parents that have become alike have few new children: a generation would be cut short.
        n_missing = self._settings.crossovers - len(children)
        return [*born, *self._distinct(lambda: self._mutant(parents, rng), n_missing, born)]

    def tell(self, fitness: Mapping[Architecture, float | None]) -> None:
        """The fitness of what was asked; the generation is over.

        What has none is never asked again and is nobody's parent.
        """
        known = {a: value for a, value in fitness.items() if value is not None}
        self._fitness.update(known)
        self._dropped.update(fitness.keys() - known.keys())
        self.generation += 1

    def ranked(self) -> list[Architecture]:
        """Everything with a fitness so far, best first."""
        return list(self._rank(self._fitness))

    def _first(self, rng: Random) -> list[Architecture]:
        wanted = self._settings.population
        begun = [a for a, fits in self._checked(dict.fromkeys(self._start)) if fits][:wanted]
        drawn = self._distinct(lambda: self._space.sample(rng), wanted - len(begun), begun)
        found = [*begun, *drawn]
        if found and len(found) < wanted:
            near = self._distinct(
                lambda: self._space.mutate(
                    rng.choice(found), rng, probability=_FALLBACK_PROBABILITY
                ),
                wanted - len(found),
                found,
            )
            found = [*found, *near]
        return found

    def _mutant(self, parents: Sequence[Architecture], rng: Random) -> Architecture:
        return self._space.mutate(
            rng.choice(parents), rng, probability=self._settings.mutation_probability
        )

    def _child(self, parents: Sequence[Architecture], rng: Random) -> Architecture:
        return self._space.crossover(rng.choice(parents), rng.choice(parents), rng)

    def _distinct(
        self,
        draw: Callable[[], Architecture],
        n: int,
        taken: Iterable[Architecture],
        *,
        max_draws: int = _MAX_DRAWS,
    ) -> list[Architecture]:
        """Up to ``n`` feasible architectures that were neither told nor ``taken``."""
        seen = {*self._fitness, *self._dropped, *taken}
        found: list[Architecture] = []
        for _ in range(max_draws):
            if len(found) == n:
                break
            drawn = dict.fromkeys(draw() for _ in range(_DRAWS_PER_MISSING * (n - len(found))))
            fresh = [a for a in drawn if a not in seen]
            seen.update(fresh)
            found += [a for a, fits in self._checked(fresh) if fits][: n - len(found)]
        return found

    def _checked(self, some: Iterable[Architecture]) -> list[tuple[Architecture, bool]]:
        architectures = list(some)
        if not architectures:
            return []
        return list(zip(architectures, self._are_feasible(architectures), strict=True))
