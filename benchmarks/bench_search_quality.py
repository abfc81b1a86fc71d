"""Claim: the search finds the best architecture within a budget, and the whole front.

The oracle is a space of 26 208 architectures with the loss and the latency of each (see
oracle/README.md). Every method may ask for the loss of 2000 architectures within the budget. It
may ask for any number of latencies, because a predictor gives them fast. Budgets are percentiles of
the latencies of the space. The benchmark prints for each method, over the seeds, how often it finds
the best architecture, its regret in nats (the loss of its best minus the smallest loss), and the
number of evaluations until the best. For fronts it prints the hypervolume as a share of that of the
true front.

    python benchmarks/bench_search_quality.py [--runs FILE] [--seeds 20] [--only METHOD ...]
        [--problem NAME ...]

With ``--runs`` each run is kept in a file of JSON lines and is not repeated.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from oracle.methods import METHODS
from oracle.problem import Problem, SearchIsOver
from oracle.table import Oracle

_EVALUATIONS = 2000
_PERCENTILES = (10, 30, 50, 70, 90)
_PROBLEMS = (*(f"within_p{percentile}" for percentile in _PERCENTILES), "pareto")


def main() -> None:
    """Print one JSON line for each problem and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--problem", nargs="+", choices=_PROBLEMS, default=_PROBLEMS)
    arguments = parser.parse_args()
    oracle = Oracle.read()
    for name in arguments.problem:
        for method in arguments.only:
            runs = _runs(oracle, name, method, arguments.seeds, arguments.runs)
            print(json.dumps({"problem": name, "method": method, **_summary(runs)}), flush=True)


def _runs(
    oracle: Oracle, name: str, method: str, n_seeds: int, kept: Path | None
) -> list[dict[str, Any]]:
    known = {(x["problem"], x["method"], x["seed"]): x for x in _read(kept)}
    runs = []
    for seed in range(n_seeds):
        run = known.get((name, method, seed))
        if run is None:
            run = {
                "problem": name,
                "method": method,
                "seed": seed,
                **_run(oracle, name, method, seed),
            }
            if kept is not None:
                with kept.open("a") as file:
                    file.write(json.dumps(run) + "\n")
        runs.append(run)
    return runs


def _read(kept: Path | None) -> Iterator[dict[str, Any]]:
    if kept is not None and kept.exists():
        yield from map(json.loads, kept.read_text().splitlines())


def _run(oracle: Oracle, name: str, method: str, seed: int) -> dict[str, float]:
    is_pareto = name == "pareto"
    percentile = 100 if is_pareto else int(name.removeprefix("within_p"))
    budget_ms = float(np.percentile(oracle.latency_ms_N, percentile))
    problem = Problem(oracle, budget_ms, is_pareto=is_pareto, limit=_EVALUATIONS)
    with suppress(SearchIsOver):
        METHODS[method](problem, seed)
    return problem.figures()


def _summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    column = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    figures = {
        "seeds": len(runs),
        "evaluations_median": np.median(column["evaluations"]),
        "proposals_median": np.median(column["proposals"]),
    }
    if "regret" in column:
        regret = column["regret"]
        figures |= {
            "share_of_zero_regret": np.mean(regret == 0),
            "regret_mean": regret.mean(),
            "regret_std": regret.std(),
            "regret_max": regret.max(),
        }
    else:
        hypervolume = column["hypervolume"]
        figures |= {
            "hypervolume_mean": hypervolume.mean(),
            "hypervolume_std": hypervolume.std(),
            "hypervolume_min": hypervolume.min(),
        }
    return {key: round(float(value), 6) for key, value in figures.items()}


if __name__ == "__main__":
    main()
