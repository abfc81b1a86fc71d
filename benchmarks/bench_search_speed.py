"""Claim: 30 generations of 125 take under two seconds on one core, and under 1 % of the fitness.

    python benchmarks/bench_search_speed.py LOG [--budget-quantile 0.5] [--supernet FOLDER]
        [--generations 30]

LOG was written by `automoe profile` for the six-expert `wmt14-en-de` space, or for the space of the
supernet in FOLDER. Without a supernet the fitness is the negative number of parameters. The budget
is a quantile of the upper bounds of random architectures. The time of feasibility, breeding,
prediction with bounds and the state on disk is measured, without that of the fitness. The best of
three times is printed, or with a supernet the only one.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from automoe.search import Evaluator, SearchSettings, SupernetFitness, search
from automoe.search.state import SearchState
from automoe.training import remembered_corpus
from automoe.training.model_folder import TrainedModel
from predictors import fit_log, read_table


class Timed:
    """A fitness that adds up its own time."""

    def __init__(self, fitness: Callable[[Architecture], float]) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._fitness = fitness

    def __call__(self, architecture: Architecture) -> float:
        """Return the fitness of an architecture."""
        start = time.perf_counter()
        loss = self._fitness(architecture)
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return loss


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--budget-quantile", type=float, default=0.5)
    parser.add_argument("--supernet", type=Path)
    parser.add_argument("--generations", type=int, default=30)
    arguments = parser.parse_args()
    predictor = fit_log(read_table(arguments.log))
    latency = LatencyModel.of(predictor)
    if arguments.supernet is None:
        space = SearchSpace.preset("wmt14-en-de", max_experts=6, fractional=True)
        of: Callable[[Architecture], float] = lambda a: -float(latency.workload.cost(a).params)  # noqa: E731
    else:
        _, space = TrainedModel.load_supernet(arguments.supernet)
        of = SupernetFitness(arguments.supernet, remembered_corpus(arguments.supernet))
        of(space.smallest())  # reads weights and text
    rng = Random(0)
    upper_ms = latency.upper_ms([space.sample(rng) for _ in range(500)])
    budget_ms = float(np.quantile(upper_ms, arguments.budget_quantile))
    runs = []
    for n in range(3 if arguments.supernet is None else 1):
        fitness = Timed(of)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            search(
                space,
                SearchSettings(budget_ms=budget_ms, seed=n, generations=arguments.generations),
                latency=latency,
                evaluator=Evaluator(fitness),
                state=SearchState(Path(folder) / "state.json", ""),
            )
            own = time.perf_counter() - start - fitness.seconds
        runs.append((own, fitness.seconds, fitness.calls))
    own, of_fitness, calls = min(runs)
    line = {
        "winner": predictor.report.winner,
        "budget_ms": round(budget_ms, 1),
        "evaluations": calls,
        "seconds": round(own, 3),
        "fitness_seconds": round(of_fitness, 3),
        "share": round(own / of_fitness, 4),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
