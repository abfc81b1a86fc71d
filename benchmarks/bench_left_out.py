"""Count how often a fit leaves out a sound feature, and how often it misses a planted result.

Sound tables have one to six inputs with usual, unusual or no meaningful names, whole or broken
numbers, noise of 0 to 8 % and latencies that are power laws, sums, rooflines or thresholds; some
have a derived input such as FLOPs, and some a single input that determines the latency. Planted
results are throughputs, other statistics of the same runs, and copies in another unit, under names
that say nothing.
"""

import argparse
import sys
from collections import Counter

import numpy as np
import pandas as pd

from predictors.preparation import prepare

NAMES = (
    ("batch", "dim", "layers", "heads", "seq_len", "experts"),
    ("alpha", "beta", "gamma", "delta", "kappa", "theta"),
    ("a", "b", "c", "d", "e", "f"),
)
DERIVED = ("flops", "gflops", "weights_mb", "work")
PLANTED = ("score", "foo", "outcome", "x_rel", "col7", "value")


def inputs(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return one to six columns of inputs."""
    names = NAMES[rng.integers(len(NAMES))][: rng.integers(1, 7)]
    kinds = (
        lambda: 2 ** rng.integers(0, 8, n),
        lambda: rng.integers(1, 13, n),
        lambda: rng.choice([128, 256, 384, 512, 768, 1024], n),
        lambda: rng.integers(100, 5000, n),
        lambda: rng.uniform(0.5, 40, n).round(3),
        lambda: rng.lognormal(0, 1.5, n),
    )
    return pd.DataFrame({name: kinds[rng.integers(len(kinds))]() for name in names})


def latency(rng: np.random.Generator, table: pd.DataFrame, noise: float) -> np.ndarray:
    """Return latencies that depend on the inputs in one of four ways."""
    logs = np.log(table.to_numpy(dtype=float))
    kind = rng.integers(4)
    powers = rng.choice([0.3, 0.5, 1.0, 1.0, 1.3], logs.shape[1])
    law = np.exp((logs * powers).sum(axis=1) - (logs * powers).sum(axis=1).mean())
    if kind == 0:
        exact = law
    elif kind == 1:
        scaled = np.exp(logs - logs.mean(axis=0))
        exact = 0.3 + scaled @ rng.uniform(0.1, 3, logs.shape[1])
    elif kind == 2:
        exact = np.maximum(law, np.exp(logs[:, 0] - logs[:, 0].mean()))
    else:
        exact = law * np.where(logs[:, 0] > np.median(logs[:, 0]), 1.7, 1.0)
    return exact * 10 ** rng.uniform(-1, 2) * rng.lognormal(0, noise, len(table))


def sound(rng: np.random.Generator) -> pd.DataFrame:
    """Return a table without results."""
    n = int(rng.integers(20, 400))
    table = inputs(rng, n)
    noise = float(rng.choice([0.0, 0.002, 0.01, 0.03, 0.08]))
    ms = latency(rng, table, noise)
    if rng.random() < 0.5:
        work = table.product(axis=1) * 2
        table[DERIVED[rng.integers(len(DERIVED))]] = work
        if rng.random() < 0.5:  # the derived input alone determines the latency
            ms = (0.1 + work / work.median()) * rng.lognormal(0, noise, n)
    if rng.random() < 0.3:  # an architecture measured several times
        rows = np.repeat(np.arange(n // 3 + 7), 3)[:n]
        table, ms = (
            table.iloc[rows].reset_index(drop=True),
            np.asarray(ms)[rows] * rng.lognormal(0, noise, n),
        )
    return table.assign(latency_ms=np.round(ms, int(rng.integers(3, 7))) + 1e-6)


def planted(rng: np.random.Generator) -> tuple[pd.DataFrame, str]:
    """Return a table with one result under a name that says nothing."""
    table = sound(rng)
    while len(table.columns) < 3 or not len(set(table["latency_ms"])) > 15:
        table = sound(rng)
    ms, n = table["latency_ms"], len(table)
    shared = rng.lognormal(0, float(rng.choice([0.0, 0.001, 0.005])), n)
    ms = ms * rng.lognormal(0, 0.01, n)  # a measurement has noise, which its results share
    first = table.iloc[:, 0]
    results = {
        "rate": 1000 / ms * shared,
        "batch rate": first / ms * 1000 * shared,
        "statistic": ms * rng.uniform(0.9, 1.1) * shared,
        "seconds": ms / 1000,
        "microseconds": (ms * 1000).round(1),
        "ticks": ms * 2419.2,
    }
    kind = list(results)[rng.integers(len(results))]
    name = PLANTED[rng.integers(len(PLANTED))]
    digits = results[kind].map(lambda x: float(f"{x:.6g}"))
    return table.assign(latency_ms=ms).assign(**{name: digits}), kind


def main() -> int:
    """Print how many features were left out and how many results were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="tables of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    false = 0
    for index in range(arguments.n):
        table = sound(np.random.default_rng([arguments.seed, 1, index]))
        if out := prepare(table).left_out:
            false += 1
            print(f"sound table {index}: {out}", file=sys.stderr)
    missed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    also = 0
    for index in range(arguments.n):
        table, kind = planted(np.random.default_rng([arguments.seed, 2, index]))
        out = prepare(table).left_out
        name = table.columns[-1]
        tried[kind] += 1
        missed[kind] += name not in out
        also += bool(out.keys() - {name})
    print(f"sound tables with a feature left out: {false} of {arguments.n}")
    print(f"planted results found: {1 - missed.total() / tried.total():.1%} of {arguments.n}")
    print(f"planted tables with a sound feature left out: {also}")
    for kind, count in sorted(tried.items()):
        print(f"  {kind}: {count - missed[kind]} of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
