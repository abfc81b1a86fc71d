"""Claim: 30 generations of 125 take under two seconds on one core, fitness apart.

    python benchmarks/bench_search_speed.py LOG [--budget-quantile 0.5]

LOG is one of `automoe profile` of the six-expert `wmt14-en-de` space. The fitness is the negative
number of parameters, whose time is taken out; the budget is a quantile of what random
architectures are predicted to take at most. Timed are feasibility, breeding, prediction with
bounds and the state on disk; the best of three.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np

from automoe.architecture import Architecture
from automoe.latency_model import LatencyModel
from automoe.search import Evaluator, SearchSettings, search
from automoe.search.state import SearchState
from automoe.space import SearchSpace
from automoe.workload import TranslationWorkload
from predictors import fit_log, read_table


class Timed:
    """A fitness that adds up its own time."""

    def __init__(self, workload: TranslationWorkload) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._workload = workload

    def __call__(self, architecture: Architecture) -> float:
        """Minus the parameters."""
        start = time.perf_counter()
        loss = -float(self._workload.cost(architecture).params)
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return loss


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--budget-quantile", type=float, default=0.5)
    arguments = parser.parse_args()
    predictor = fit_log(read_table(arguments.log))
    latency = LatencyModel(predictor, TranslationWorkload.parse(predictor.conditions["workload"]))
    space = SearchSpace.preset("wmt14-en-de", max_experts=6, fractional=True)
    rng = Random(0)
    upper_ms = latency.upper_ms([space.sample(rng) for _ in range(500)])
    budget_ms = float(np.quantile(upper_ms, arguments.budget_quantile))
    seconds = []
    for n in range(3):
        fitness = Timed(latency.workload)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            search(
                space,
                SearchSettings(budget_ms=budget_ms, seed=n),
                latency=latency,
                evaluator=Evaluator(fitness),
                state=SearchState(Path(folder) / "state.json", ""),
            )
            seconds.append(time.perf_counter() - start - fitness.seconds)
    line = {
        "winner": predictor.report.winner,
        "budget_ms": round(budget_ms, 1),
        "evaluations": fitness.calls,
        "seconds": round(min(seconds), 3),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
