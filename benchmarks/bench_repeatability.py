"""Claim: twenty sessions report the same latency of one subnet within 1.5 %.

The same `tiny` subnet (or a given space's) is measured in fresh sessions, each with a log, worker
processes and a shuffled order of its own, beside three others. Reported is the coefficient of
variation of `latency_ms`, with the flags that the rows carried. The first session's log is the
reference of all others, as `automoe profile --reference` has it; with ``--own-reference`` every
session stands for itself. With ``--disturb`` other processes keep the cores busy, which must be
flagged.

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
from automoe.architecture.workload import TranslationWorkload
from automoe.latency.profiling import profile_architectures
from devices import get_device
from profilers import Protocol, read_log


@contextmanager
def disturbance(n_processes: int) -> Iterator[None]:
    """Other programs that never rest."""
    busy = [sys.executable, "-c", "while True: sum(range(10**6))"]
    others = [subprocess.Popen(busy) for _ in range(n_processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def session(space: SearchSpace, seed: int, folder: Path, reference: Path | None) -> dict[str, str]:
    """The row of the subnet of interest."""
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
