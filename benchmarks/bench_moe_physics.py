"""This benchmark fits logs of sparse layers on simulated accelerators, where the truth is known.

    python benchmarks/bench_moe_physics.py [--seeds 10] [--first-seed 1000] [--only ACCELERATOR]

Each accelerator has its own bandwidth, speed, launch time, cache and tile. Each architecture has
its own efficiency, which no model can know of an unseen one: `floor` is the error that this leaves.
Each seed draws other efficiencies, other rows and other architectures to fit. `held` is the share
of rows of unseen architectures that lie under the bound at 0.95. Where the touched experts were
measured, `plain` is the error of a fit that cannot recognise the columns, and `minus_plain` is the
mean difference. A number after `+-` is a standard error.
"""

import argparse
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictors import fit_log

# hidden size, width, top-k, experts
ARCHITECTURES = [
    *[(4096, 14336, 2, 8), (2048, 768, 8, 128), (4096, 1536, 8, 128), (2048, 1408, 6, 64)],
    *[(7168, 2048, 8, 256), (5120, 1536, 6, 160), (2880, 2880, 4, 32), (5120, 8192, 1, 16)],
    *[(2048, 1024, 8, 64), (2048, 512, 10, 512), (3584, 2560, 8, 64), (1536, 512, 8, 40)],
]
_ARCHITECTURE = ["hidden_size", "moe_intermediate_size", "top_k", "num_experts"]
_NOISE = 0.02


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A simulated accelerator, and what its log tells."""

    gb_s: float
    tflops: float
    launch_ms: float
    cache_mb: float
    cache_gb_s: float
    tile: int
    spread: float
    rows: int = 50
    has_touched: bool = False
    has_layers: bool = False
    n_shared: int = 0


ACCELERATORS = {
    "datacentre": Accelerator(1900, 200, 0.036, 40, 4500, 64, 0.1),
    "inference card": Accelerator(860, 230, 0.028, 96, 3000, 128, 0.1),
    "shared experts": Accelerator(7600, 1500, 0.05, 126, 15000, 128, 0.05, n_shared=2),
    "layers": Accelerator(60, 1.8, 0.018, 32, 300, 8, 0.05, has_layers=True),
    "touched, processor": Accelerator(60, 1.8, 0.018, 32, 300, 8, 0, 20, has_touched=True),
    "touched, card": Accelerator(1900, 200, 0.036, 40, 4500, 64, 0, 20, has_touched=True),
}


def simulated(machine: Accelerator, seed: int, n_rows: int = 400) -> pd.DataFrame:
    """Return a log; `own` is the factor of the architecture's own efficiency."""
    rng = np.random.default_rng(seed)
    own = {each: float(np.exp(rng.normal(0, machine.spread))) for each in ARCHITECTURES}
    rows = []
    for _ in range(n_rows):
        hidden, width, top_k, experts = ARCHITECTURES[rng.integers(len(ARCHITECTURES))]
        tokens = int(2 ** rng.integers(0, 13))
        alpha = float(rng.choice([0.0, 0.4, 1.0]))
        shares = np.log(np.arange(1, experts + 1) ** -alpha)
        drawn = shares + rng.gumbel(size=(min(tokens, 500), experts))
        best = np.argpartition(-drawn, top_k - 1, axis=1)[:, :top_k]
        counts = np.bincount(best.ravel(), minlength=experts) * max(1.0, tokens / 500)
        layers = int(rng.choice([1, 2, 4, 8])) if machine.has_layers else 1
        latency = layers * _layer_ms(machine, hidden, width, tokens, counts, layers)
        factor = own[(hidden, width, top_k, experts)]
        row = {"num_tokens": tokens, "hidden_size": hidden, "moe_intermediate_size": width}
        row |= {"top_k": top_k, "num_experts": experts}
        if machine.has_touched:
            row["activated_experts"] = int(np.count_nonzero(counts))
        else:
            row["routing"] = f"zipf {alpha:g}" if alpha else "random"
        if machine.has_layers:
            row["num_layers"] = layers
        if machine.n_shared:
            row["num_shared_experts"] = machine.n_shared
        latency *= factor * float(np.exp(rng.normal(0, _NOISE)))
        rows.append({**row, "latency_ms": latency, "own": factor})
    return pd.DataFrame(rows)


def _layer_ms(
    machine: Accelerator, hidden: int, width: int, tokens: int, counts: np.ndarray, layers: int
) -> float:
    busy = counts[counts > 0]
    read_mb = 6 * hidden * width * (len(busy) + machine.n_shared) / 1e6
    speed = machine.cache_gb_s if layers * read_mb < machine.cache_mb else machine.gb_s
    computed = np.ceil(busy / machine.tile).sum() * machine.tile + machine.n_shared * tokens
    times = read_mb / speed, 6 * hidden * width * computed / 1e9 / machine.tflops
    moved_mb = 2 * (counts.sum() * (2 * hidden + 3 * width) + 2 * tokens * hidden) / 1e6
    return machine.launch_ms + max(times) + 0.3 * min(times) + moved_mb / machine.gb_s


def trial(machine: Accelerator, seed: int) -> dict[str, float]:
    """Return the errors on the unseen half of the architectures of one simulated log."""
    log = simulated(machine, seed)
    own = log.pop("own")
    groups = log.groupby(_ARCHITECTURE).ngroup()
    order = np.random.default_rng(seed).permutation(groups.unique())
    known = groups.isin(order[: len(order) // 2])
    train, test = log[known].sample(machine.rows, random_state=seed), log[~known]
    predicted = fit_log(train).predict(test)
    result = {
        "mape": np.abs(predicted["predicted_ms"] / test["latency_ms"] - 1).mean(),
        "held": (test["latency_ms"] <= predicted["upper_ms"]).mean(),
        "floor": np.abs(np.log(own)).mean(),
    }
    if machine.has_touched:
        # No table has these names, so there are no derived columns.
        others = [name for name in train if name != "latency_ms"]
        names = {name: f"size_{place}" for place, name in enumerate(others)}
        known_by = [names[name] for name in _ARCHITECTURE]
        plain = fit_log(train.rename(columns=names), groups=known_by)
        unseen_ms = plain.predict(test.rename(columns=names))["predicted_ms"]
        result["plain"] = np.abs(unseen_ms / test["latency_ms"] - 1).mean()
        result["minus_plain"] = result["mape"] - result["plain"]
    return {name: float(value) for name, value in result.items()}


def main() -> None:
    """Print one JSON line for each accelerator: means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", choices=ACCELERATORS, action="append")
    arguments = parser.parse_args()
    for name in arguments.only or ACCELERATORS:
        machine = ACCELERATORS[name]
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        results = pd.DataFrame([trial(machine, seed) for seed in seeds])
        line = {"accelerator": name, "rows": machine.rows, "logs": len(results)}
        errors = results.std() / np.sqrt(len(results))
        means = {each: f"{results[each].mean():.4f} +- {errors[each]:.4f}" for each in results}
        print(json.dumps(line | means), flush=True)


if __name__ == "__main__":
    main()
