"""Claim: 10 000 architectures are predicted with bounds in under a second on one core.

    python benchmarks/bench_prediction_speed.py LOG [--architectures 10000]

A predictor is fitted to LOG, which `automoe profile` wrote. The architectures are drawn from the
space that LOG names. Features and prediction are timed together, then the prediction alone. Each
time is the best of three.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from automoe.architecture.space import SearchSpace
from automoe.latency.model import LatencyModel
from predictors import fit_log, read_table


def seconds(action: Callable[[], object]) -> float:
    """Return the shortest of three times of an action in seconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--architectures", type=int, default=10_000)
    arguments = parser.parse_args()
    log = read_table(arguments.log)
    start = time.perf_counter()
    predictor = fit_log(log)
    fit_seconds = time.perf_counter() - start
    model = LatencyModel.of(predictor)
    space = SearchSpace.load(str(log["space"].iloc[0]), max_experts=6, fractional=True)
    rng = Random(0)
    drawn = [space.sample(rng) for _ in range(arguments.architectures)]
    model.upper_ms(drawn[:10])  # the bound for searches is computed once
    table = model.table(drawn)
    line = {
        "winner": predictor.report.winner,
        "rows": len(log),
        "fit_seconds": fit_seconds,
        "architectures": len(drawn),
        "features_and_prediction_seconds": seconds(lambda: model.predict(drawn)),
        "prediction_seconds": seconds(lambda: predictor.predict(table)),
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}))


if __name__ == "__main__":
    main()
