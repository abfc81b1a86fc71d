"""Claim: no certified result exceeds its budget by more than the interval of its certification.

    python benchmarks/bench_certified_budgets.py LOG -o FOLDER [--budgets 6] [--seeds 3]

LOG was measured on this machine by `automoe profile` for a preset. Budgets lie between the 10th and
the 90th percentile of the predicted latencies of random architectures. Each search maximises the
number of parameters, because large architectures are slow, and is verified on the device. Its
winner is measured once more in another session. That latency is reported uncorrected, and corrected
to the level of the certification. The same command resumes: it runs the searches that FOLDER lacks.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.architecture_profiling import profile_architectures
from automoe.latency.model import LatencyModel
from automoe.search import Evaluator, SearchSettings
from automoe.search.certify.measuring import Bench
from automoe.search.certify.search_rounds import verified_search
from automoe.search.state import SearchState
from devices import get_device
from devices.opening import opened_device
from predictors import fit_log, read_table
from profilers import Protocol, read_log


def searched(
    space: SearchSpace, latency: LatencyModel, budget_ms: float, seed: int, folder: Path
) -> dict[str, object]:
    """Return the line of one search, with its winner measured again when it is certified."""

    def proxy(architecture: Architecture) -> float:
        return -float(latency.workload.cost(architecture).params)

    log = folder / "verification.csv"
    outcome = verified_search(
        space,
        SearchSettings(budget_ms=budget_ms, seed=seed, device_minutes=5),
        latency=latency,
        evaluator=Evaluator(proxy),
        state=SearchState(folder / "search.jsonl", str(budget_ms)),
        bench=Bench(
            opened=partial(opened_device, "cpu"),
            info=get_device("cpu").info(),
            protocol=Protocol.verification(budget_ms=budget_ms, seed=seed),
            workload=latency.workload,
            space=space,
            log=log,
            graphs=folder / "graphs",
        ),
    )
    verification = outcome.verification
    line = {
        "budget_ms": round(budget_ms, 3),
        "seed": seed,
        "certified": verification.certified,
        "rounds": outcome.rounds,
        "measured": len(verification.measured),
        "reason": verification.reason,
    }
    measured = verification.measured.get(verification.winner.architecture)
    if not verification.certified or measured is None:
        return line
    fresh = folder / "fresh.csv"
    profile_architectures(
        [verification.winner.architecture],
        device=get_device("cpu"),
        protocol=Protocol.verification(seed=seed + 1000),
        workload=latency.workload,
        space=space,
        reference=log,
        log=fresh,
        graphs=folder / "graphs",
    )
    row = read_log(fresh)[0]
    width_ms = measured.ci_high_ms - measured.ci_low_ms
    return line | {
        "certified_ms": round(measured.latency_ms, 3),
        "interval_ms": [round(measured.ci_low_ms, 3), round(measured.ci_high_ms, 3)],
        "again_ms": round(float(row["latency_ms"]), 3),
        "again_seen_ms": round(float(row["raw_latency_ms"]), 3),
        "over": float(row["latency_ms"]) > budget_ms,
        "over_by_more_than_interval": float(row["latency_ms"]) - budget_ms > width_ms,
        "seen_over": float(row["raw_latency_ms"]) > budget_ms,
        "seen_over_by_more_than_interval": float(row["raw_latency_ms"]) - budget_ms > width_ms,
    }


def main() -> None:
    """Print one JSON line for each search, then one with the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--max-experts", type=int, default=6)
    parser.add_argument("--budgets", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    table = read_table(arguments.log)
    predictor = fit_log(table)
    latency = LatencyModel.of(predictor)
    name = str(table["space"].iloc[0])
    space = SearchSpace.preset(name, max_experts=arguments.max_experts, fractional=True)
    rng = Random(0)
    typical_ms = latency.predict([space.sample(rng) for _ in range(500)])["predicted_ms"]
    budgets_ms = np.quantile(typical_ms, np.linspace(0.1, 0.9, arguments.budgets))
    lines = []
    for seed in range(arguments.seeds):
        for n, budget_ms in enumerate(budgets_ms):
            folder = arguments.out / f"{n}-{seed}"
            path = folder / "result.json"
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                line = searched(space, latency, float(budget_ms), seed, folder)
                path.write_text(json.dumps(line) + "\n", encoding="utf-8")
            lines.append(json.loads(path.read_text(encoding="utf-8")))
            print(json.dumps(lines[-1]), flush=True)
    certified = [line for line in lines if line["certified"]]
    counted = [name for name in certified[0] if "over" in name] if certified else []
    summary = {name: sum(line[name] for line in certified) for name in counted}
    print(json.dumps({"searches": len(lines), "certified": len(certified), **summary}))


if __name__ == "__main__":
    main()
