"""This module runs the searches that are compared, each with the choices and the budget.

An architecture that is proposed again does not count as an evaluation. The number of proposals of
other libraries is bounded, because a search that has converged would never end otherwise.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import optuna
from oracle.genes import Genome
from oracle.problem import Problem
from oracle.table import TableLatency
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.evaluator import Evaluator as PymooEvaluator
from pymoo.core.population import Population
from pymoo.core.problem import ElementwiseProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from automoe.architecture.architecture import Architecture
from automoe.search import Evaluator, SearchSettings, search
from automoe.search.state import SearchState

Method = Callable[[Problem, int], None]

_POPULATION = 100
_PYMOO_GENERATIONS = 30


def automoe(problem: Problem, seed: int, **settings: int) -> None:
    """Run this toolkit's search with the paper's sizes, until the evaluations are used up."""
    paper = SearchSettings(budget_ms=problem.budget_ms)
    later = -(-(problem.limit - paper.population) // (paper.mutants + paper.crossovers))
    given = {"generations": 1 + later, "seed": seed, "pareto": problem.is_pareto, **settings}

    def loss(architecture: Architecture) -> float:
        return problem.evaluate(architecture)[0]

    with TemporaryDirectory() as folder:
        search(
            problem.oracle.space,
            SearchSettings(budget_ms=problem.budget_ms, **given),
            latency=TableLatency(problem.oracle),
            evaluator=Evaluator(loss),
            state=SearchState(Path(folder) / "state.json", ""),
        )


def pymoo(problem: Problem, seed: int) -> None:
    """Run pymoo's GA, or NSGA-II for fronts, with the operators documented for integers."""
    genome = Genome(problem.oracle.space)
    algorithm = (NSGA2 if problem.is_pareto else GA)(
        pop_size=_POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=_NeverTwice(problem, genome),
    )
    stated = _PymooProblem(problem, genome)
    algorithm.setup(stated, seed=seed, termination=("n_gen", _PYMOO_GENERATIONS))
    evaluator = PymooEvaluator()
    while algorithm.has_next():
        proposed = algorithm.ask()
        if proposed is None:  # its population has no new neighbours
            break
        evaluator.eval(stated, proposed)
        algorithm.tell(infills=proposed)


class _NeverTwice(DuplicateElimination):
    """A rule by which an architecture is a duplicate if it was proposed before."""

    def __init__(self, problem: Problem, genome: Genome) -> None:
        super().__init__()
        self._problem = problem
        self._genome = genome

    def _do(
        self, pop: Population, other: Population | None, is_duplicate: np.ndarray
    ) -> np.ndarray:
        taken = {self._genome.decode(one.X) for one in (() if other is None else other)}
        for i, one in enumerate(pop):
            architecture = self._genome.decode(one.X)
            is_duplicate[i] = architecture in taken or self._problem.knows(architecture)
            taken.add(architecture)
        return is_duplicate


class _PymooProblem(ElementwiseProblem):
    def __init__(self, problem: Problem, genome: Genome) -> None:
        highest = np.array(genome.sizes) - 1
        super().__init__(
            n_var=len(highest),
            n_obj=1 + problem.is_pareto,
            n_ieq_constr=1,
            xl=0,
            xu=highest,
            vtype=int,
        )
        self._problem = problem
        self._genome = genome

    def _evaluate(self, x: np.ndarray, out: dict[str, object], *_: object, **__: object) -> None:
        loss, latency_ms = self._problem.evaluate(self._genome.decode(x))
        out["F"] = [loss, latency_ms][: self.n_obj]
        out["G"] = [latency_ms - self._problem.budget_ms]


def optuna_search(
    sampler: Callable[..., optuna.samplers.BaseSampler], n_trials: int, problem: Problem, seed: int
) -> None:
    """Run an Optuna study on whole numbers, with the budget as a constraint."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    genome = Genome(problem.oracle.space)
    n_objectives = 1 + problem.is_pareto
    study = optuna.create_study(sampler=sampler(seed=seed), directions=["minimize"] * n_objectives)
    for _ in range(n_trials):
        trial = study.ask()
        genes = [trial.suggest_int(f"gene_{i}", 0, n - 1) for i, n in enumerate(genome.sizes)]
        loss, latency_ms = problem.evaluate(genome.decode(genes))
        trial.set_constraint("latency_ms", latency_ms - problem.budget_ms)
        study.tell(trial, [loss, latency_ms][:n_objectives])


METHODS: dict[str, Method] = {
    "automoe": automoe,
    "automoe_unscreened": partial(automoe, prescreen=1),  # the paper's algorithm
    "automoe_random": partial(automoe, random=True),
    "pymoo": pymoo,
    "optuna_nsga2": partial(
        optuna_search, partial(optuna.samplers.NSGAIISampler, population_size=_POPULATION), 4000
    ),
    # 2000 trials take two minutes, and the time grows with the square of their number.
    "optuna_tpe": partial(optuna_search, optuna.samplers.TPESampler, 2000),
}
