"""Claim: the default number of generations reaches what the 30 of the paper reach.

Searches of 30 generations are run with several seeds, and the best loss after each generation is
kept. The gain is the loss that a search takes off the median of random architectures within the
budget. The benchmark prints the share of the largest gain that each number of generations reaches,
and what is missing to it in nats.

    python benchmarks/bench_search_size.py [--percentile 50] [--seeds 20]
    python benchmarks/bench_search_size.py --supernet FOLDER --predictor FILE --cache FILE
        [--percentile 50] [--seeds 3] [--every 8]

The first form searches the oracle's space, whose best architecture is known (see oracle/README.md).
The second one evaluates a supernet on every eighth sentence of the validation text. There, the
best architecture is the best of all seeds. With ``--cache`` no loss is computed twice, so that an
interrupted run goes on.
"""

import argparse
import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from oracle.table import Oracle, TableLatency

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from automoe.search import Evaluator, FitnessCache, SearchSettings, SupernetFitness, search
from automoe.search.state import SearchState
from automoe.training import remembered_corpus
from automoe.training.model_folder import TrainedModel

_DRAWS = 500
_GENERATIONS = 30
_SHOWN = (1, 2, 3, 5, 7, 9, 11, 13, 15, 16, 20, 25, 30)


def main() -> None:
    """Print one JSON line for each number of generations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supernet", type=Path)
    parser.add_argument("--predictor", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--percentile", type=float, default=50)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    if arguments.supernet is None:
        space, latency, evaluator, least_within = _oracle()
    else:
        space, latency, evaluator, least_within = _supernet(arguments)
    rng = Random(0)
    drawn = [space.sample(rng) for _ in range(_DRAWS)]
    bounds = latency.upper_ms(drawn, confidence=0.95)
    budget_ms = float(np.percentile(bounds, arguments.percentile))
    settings = [SearchSettings(budget_ms=budget_ms, seed=n) for n in range(arguments.seeds)]
    runs = [_best_after_each(space, each, latency, evaluator) for each in settings]
    best_SG = np.array([best for best, _ in runs])
    random_loss = float(np.median([median for _, median in runs]))
    least = float(best_SG.min()) if least_within is None else least_within(budget_ms)
    chosen = settings[0].suited(space.count).generations
    for n in sorted({*_SHOWN, chosen}):
        missing_S = best_SG[:, n - 1] - least
        share_S = 1 - missing_S / (random_loss - least)
        line = {
            "space": space.name,
            "architectures": float(f"{space.count:.3g}"),
            "seeds": len(runs),
            "generations": n,
            "evaluations": settings[0].evaluations(n),
            "is_default": n == chosen,
            "share_mean": round(float(share_S.mean()), 4),
            "share_min": round(float(share_S.min()), 4),
            "missing_nats_mean": round(float(missing_S.mean()), 5),
            "missing_nats_max": round(float(missing_S.max()), 5),
        }
        print(json.dumps(line), flush=True)


def _best_after_each(
    space: SearchSpace, settings: SearchSettings, latency: Any, evaluator: Evaluator
) -> tuple[list[float], float]:
    """Return the best loss after each generation, and the median loss of the first one."""
    with TemporaryDirectory() as folder:
        outcome = search(
            space,
            settings,
            latency=latency,
            evaluator=evaluator,
            state=SearchState(Path(folder) / "state.jsonl", ""),
        )
    losses: list[list[float]] = [[] for _ in range(_GENERATIONS)]
    for candidate in outcome.candidates:
        losses[candidate.generation].append(candidate.loss)
    best = np.minimum.accumulate([min(each, default=np.inf) for each in losses])
    return list(best), float(np.median(losses[0]))


def _oracle() -> tuple[SearchSpace, Any, Evaluator, Any]:
    oracle = Oracle.read()

    def loss(architecture: Architecture) -> float:
        return float(oracle.loss_N[oracle.rows[architecture]])

    def least(budget_ms: float) -> float:
        return float(oracle.loss_N[oracle.latency_ms_N <= budget_ms].min())

    return oracle.space, TableLatency(oracle), Evaluator(loss), least


def _supernet(arguments: argparse.Namespace) -> tuple[SearchSpace, Any, Evaluator, None]:
    _, space = TrainedModel.load_supernet(arguments.supernet)
    corpus = remembered_corpus(arguments.supernet)
    fitness = SupernetFitness(arguments.supernet, corpus, arguments.every)
    evaluator = Evaluator(fitness, cache=FitnessCache(arguments.cache))
    return space, LatencyModel.open(arguments.predictor), evaluator, None


if __name__ == "__main__":
    main()
