"""This benchmark fits logs of sparse layers on simulated accelerators, where the truth is known.

    python benchmarks/bench_moe_physics.py [--seeds 10]

Each accelerator has its own bandwidth, speed, launch time, cache and tile. Each architecture has
its own efficiency, which no model can know of an unseen one: `floor` is the error that this leaves.
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


def simulated(machine: Accelerator, n_rows: int = 1000) -> pd.DataFrame:
    """Return a log; `own` is the factor of the architecture's own efficiency."""
    rng = np.random.default_rng(0)
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


def main() -> None:
    """Print one JSON line for each accelerator: means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for name, machine in ACCELERATORS.items():
        log = simulated(machine)
        own = log.pop("own")
        groups = log.groupby(["hidden_size", "moe_intermediate_size", "top_k"]).ngroup()
        results = []
        for seed in range(arguments.seeds):
            rng = np.random.default_rng(seed)
            order = rng.permutation(groups.unique())
            known = groups.isin(order[: len(order) // 2])
            train, test = log[known].sample(machine.rows, random_state=seed), log[~known]
            predicted = fit_log(train).predict(test)
            error = np.abs(predicted["predicted_ms"] / test["latency_ms"] - 1).mean()
            held = (test["latency_ms"] <= predicted["upper_ms"]).mean()
            results.append((error, held))
        error, held = np.mean(results, axis=0)
        floor = float(np.abs(np.log(own)).mean())
        line = {"accelerator": name, "rows": machine.rows, "mape": error, "held": held}
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
        print(json.dumps({**rounded, "floor": round(floor, 4)}), flush=True)


if __name__ == "__main__":
    main()
