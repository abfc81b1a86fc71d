"""Claim: the bound at 0.95 of a fit with few groups holds for 95 % of new architectures.

Logs of random architectures are simulated, each measured several times. No feature explains 4 % of
an architecture's latency, so its rows are not independent. Each log is fitted with the architecture
as its group, and 150 new architectures are held against the bound. The share of them below it is
printed, with its standard error over the logs.

    python benchmarks/bench_group_coverage.py [--logs 100] [--seed 5]
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from predictors import fit_log

SIZES = ((5, 5), (8, 4), (10, 6), (25, 3))  # groups, and rows of each
CONFIDENCE, N_NEW = 0.95, 150
FEATURES = ["layers", "width", "ffn"]
_UNEXPLAINED, _NOISE = 0.04, 0.01  # standard deviations of the logarithm


def simulated(n_groups: int, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a log of as many architectures, each with as many rows, in random order."""
    layers = rng.integers(2, 13, n_groups)
    width = rng.choice([64, 128, 256, 384, 512], n_groups)
    ffn = rng.choice([128, 256, 512, 1024, 2048], n_groups)
    mean_ms = 0.05 + layers * (width * ffn * 2.1e-6 + width * width * 4e-6 + 0.02)
    mean_ms *= np.exp(_UNEXPLAINED * rng.standard_normal(n_groups))
    index = rng.permutation(np.repeat(np.arange(n_groups), n_rows))
    noise = np.exp(_NOISE * rng.standard_normal(len(index)))
    return pd.DataFrame(
        {
            "architecture": [f"a{each}" for each in index],
            "layers": layers[index],
            "width": width[index],
            "ffn": ffn[index],
            "latency_ms": mean_ms[index] * noise,
        }
    )


def covered(n_groups: int, n_rows: int, rng: np.random.Generator) -> float:
    """Return the share of new architectures whose latency is below the bound of one log's fit."""
    log = simulated(n_groups, n_rows, rng)
    predictor = fit_log(log, groups=["architecture"], features=FEATURES)
    new = simulated(N_NEW, 1, rng)
    upper_ms = predictor.predict(new, confidence=CONFIDENCE)["upper_ms"]
    return float(np.mean(new["latency_ms"] <= upper_ms))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the share of new architectures below the bound for each size of log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args(arguments)
    for n_groups, n_rows in SIZES:
        rng = np.random.default_rng(given.seed)
        shares = [covered(n_groups, n_rows, rng) for _ in range(given.logs)]
        error = np.std(shares, ddof=1) / given.logs**0.5
        print(f"{n_groups} groups of {n_rows}: {np.mean(shares):.3f} +- {error:.3f}", flush=True)


if __name__ == "__main__":
    main()
