"""Claim: twenty sessions report the same latency of one subnet within 1.5 %.

One subnet of `tiny` (or of another space) and three others are measured in fresh sessions. Each
session has its own log, workers and order. The benchmark prints the coefficient of variation of
`latency_ms` and the flags of the rows. The first session's log is the reference of all others, as
with `automoe profile --reference`. With ``--own-reference`` no session has a reference. With
``--disturb`` other processes keep the cores busy, and the rows must be flagged.

    python benchmarks/bench_repeatability.py [--sessions 20] [--space tiny] [--own-reference]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import mean, stdev

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import profile_architectures
from devices import get_device
from profilers import Protocol, read_log


@contextmanager
def disturbance(n_processes: int) -> Iterator[None]:
    """Run other programs that keep the cores busy."""
    busy = [sys.executable, "-c", "while True: sum(range(10**6))"]
    others = [subprocess.Popen(busy) for _ in range(n_processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def session(space: SearchSpace, seed: int, folder: Path, reference: Path | None) -> dict[str, str]:
    """Return the row of the subnet whose latencies are compared."""
    rng = Random(0)
    architectures = [space.sample(rng) for _ in range(4)]
    log = folder / f"{seed}.csv"
    profile_architectures(
        architectures,
        device=get_device("cpu"),
        protocol=Protocol(seed=seed),
        workload=TranslationWorkload.of(space),
        space=space,
        reference=reference,
        log=log,
        graphs=folder / "graphs",
    )
    return next(row for row in read_log(log) if row["point_id"] == architectures[0].id)


def variation(values: list[float]) -> float:
    return stdev(values) / mean(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--own-reference", action="store_true")
    parser.add_argument("--disturb", action="store_true")
    arguments = parser.parse_args()
    space = SearchSpace.load(arguments.space, max_experts=4, fractional=True)
    with tempfile.TemporaryDirectory() as name, disturbance(2 * arguments.disturb):
        folder = Path(name)
        first = None if arguments.own_reference else folder / "0.csv"
        rows = [
            session(space, seed, folder, first if seed else None)
            for seed in range(arguments.sessions)
        ]
    latencies_ms = [float(row["latency_ms"]) for row in rows]
    result = {
        "variation": variation(latencies_ms),
        "variation_of_raw": variation([float(row["raw_latency_ms"]) for row in rows]),
        "variation_of_sentinel": variation([float(row["sentinel_ms"]) for row in rows]),
        "flags": Counter(flag for row in rows for flag in row["flags"].split(";") if flag),
        "quality": Counter(row["quality"] for row in rows),
        "latencies_ms": latencies_ms,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
