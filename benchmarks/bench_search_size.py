"""Claim: the default number of generations reaches what the 30 of the paper reach.

The budget is a percentile of the latencies of the space. Searches of 30 generations are run with
several seeds, and the best loss after each generation is kept. The gain is the loss that a search
takes off the median of random architectures within the budget. The benchmark prints the share of
the largest gain that each number of generations reaches, and what is missing to it in nats.

    python benchmarks/bench_search_size.py [--percentile 50] [--seeds 20]
    python benchmarks/bench_search_size.py --supernet FOLDER --predictor FILE --cache FILE
        [--percentile 50] [--seeds 3] [--every 8] [--unread]

The first form searches the oracle's space, whose best architecture is known (see oracle/README.md).
The second one evaluates a supernet on every eighth sentence of the validation text. There, the
best architecture is the best of all seeds. With ``--unread`` it also evaluates the winners
after some generations on all other sentences, in as many parts, which tells what a difference of
losses is worth. With ``--cache`` no loss is computed twice, so that an
interrupted run goes on.
"""

import argparse
import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle.table import Oracle, TableLatency, every_architecture

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from automoe.search import (
    Candidate,
    Evaluator,
    FitnessCache,
    SearchSettings,
    SupernetFitness,
    search,
)
from automoe.search.state import SearchState
from automoe.text import encode_pairs, evaluation_batches
from automoe.training import remembered_corpus, validation_loss
from automoe.training.model_folder import TrainedModel
from automoe.training.supernet_run import remembered_max_sentence

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
    parser.add_argument("--unread", action="store_true")
    arguments = parser.parse_args()
    if arguments.supernet is None:
        space, latency, evaluator, least_within = _oracle()
        architectures = list(every_architecture(space))
    else:
        space, latency, evaluator, least_within = _supernet(arguments)
        rng = Random(0)
        architectures = [space.sample(rng) for _ in range(_DRAWS)]
    bounds = latency.upper_ms(architectures, confidence=0.95)
    budget_ms = float(np.percentile(bounds, arguments.percentile))
    settings = [SearchSettings(budget_ms=budget_ms, seed=n) for n in range(arguments.seeds)]
    runs = [_best_after_each(space, each, latency, evaluator) for each in settings]
    best_SG = np.array([[best.loss for best in winners] for winners, _ in runs])
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
    if arguments.unread:
        winners = [each for each, _ in runs]
        _print_unread(arguments, sorted({11, chosen, _GENERATIONS}), winners)


def _best_after_each(
    space: SearchSpace, settings: SearchSettings, latency: Any, evaluator: Evaluator
) -> tuple[list[Candidate], float]:
    """Return the best one after each generation, and the median loss of the first generation."""
    with TemporaryDirectory() as folder:
        outcome = search(
            space,
            settings,
            latency=latency,
            evaluator=evaluator,
            state=SearchState(Path(folder) / "state.jsonl", ""),
        )
    candidates = outcome.candidates  # the best one comes first
    winners = [next(x for x in candidates if x.generation < n) for n in range(1, _GENERATIONS + 1)]
    return winners, float(np.median([x.loss for x in candidates if x.generation == 0]))


def _print_unread(
    arguments: argparse.Namespace, shown: list[int], winners: list[list[Candidate]]
) -> None:
    """Print by how much winners are worse than the best one on sentences that no search read."""
    trained = TrainedModel.load(arguments.supernet)
    text = remembered_corpus(arguments.supernet).split("valid")
    cut = remembered_max_sentence(arguments.supernet)
    pairs = encode_pairs(text, trained.vocabulary, max_tokens=cut, overlong="truncate").pairs

    def unread(winner: Candidate) -> NDArray[np.float64]:
        parts = (pairs[n :: arguments.every] for n in range(1, arguments.every))
        batches = (list(evaluation_batches(part, max_tokens=4096)) for part in parts)
        return np.array([validation_loss(trained.model, x, winner.architecture) for x in batches])

    best = unread(min((each[-1] for each in winners), key=lambda winner: winner.loss))
    for seed, each in enumerate(winners):
        for n in shown:
            worse = unread(each[n - 1]) - best
            line = {
                "seed": seed,
                "generations": n,
                "worse_nats": round(float(worse.mean()), 5),
                "standard_error": round(float(worse.std(ddof=1) / len(worse) ** 0.5), 5),
            }
            print(json.dumps(line), flush=True)


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
