"""Claim: twenty sessions report the same latency of one subnet within 1.5 %.

One subnet of `wmt14-en-de` (or of another space) is measured in fresh sessions, with as many others
as ``--points`` says. Each session has its own log, workers and order. The benchmark prints the
coefficient of variation of `latency_ms`, the half-widths and the flags of the rows. The first
session's log is the reference of all others, as with `automoe profile --reference`. With
``--own-reference`` no session has a reference. With ``--disturb`` other processes keep the cores
busy, and the rows must be flagged.

With ``--against PYTHON`` the sessions take turns with those of the version of AutoMoE that is
installed for that Python, so that both see the same machine.

    python benchmarks/bench_repeatability.py [--sessions 20] [--points 1] [--against PYTHON]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import mean, median, stdev
from typing import Any

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import profile_architectures
from devices import get_device
from profilers import Protocol, read_log

_SCALES = {"": "latency_ms", "_of_raw": "raw_latency_ms", "_of_sentinel": "sentinel_ms"}


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


def measure(
    folder: Path, seed: int, *, space_name: str, n_points: int, own_reference: bool
) -> dict[str, str]:
    """Measure one session, and return the row of the subnet whose latencies are compared."""
    space = SearchSpace.load(space_name, max_experts=4, fractional=True)
    rng = Random(0)
    architectures = [space.sample(rng) for _ in range(n_points)]
    log, first = folder / f"{seed}.csv", folder / "0.csv"
    profile_architectures(
        architectures,
        device=get_device("cpu"),
        protocol=Protocol(seed=seed),
        workload=TranslationWorkload.of(space),
        space=space,
        reference=None if own_reference or not seed else first,
        log=log,
        graphs=folder / "graphs",
    )
    return next(row for row in read_log(log) if row["point_id"] == architectures[0].id)


def session(python: str, folder: Path, seed: int, settings: Sequence[str]) -> dict[str, Any]:
    """Return the row of a session that the version of this Python measures, and its seconds."""
    folder.mkdir(exist_ok=True)
    start = time.perf_counter()
    command = [python, __file__, "--measure", str(folder), str(seed), *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "seconds": time.perf_counter() - start}


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    latencies_ms = [float(row["latency_ms"]) for row in rows]
    return {
        **{
            f"variation{x}": variation([float(r[name]) for r in rows])
            for x, name in _SCALES.items()
        },
        "half_width": median(
            (float(r["ci_high_ms"]) / float(r["ci_low_ms"])) ** 0.5 - 1 for r in rows
        ),
        "seconds": median(row["seconds"] for row in rows),
        "blocks": mean(float(row["n_blocks"]) for row in rows),
        "flags": Counter(flag for row in rows for flag in row["flags"].split(";") if flag),
        "quality": Counter(row["quality"] for row in rows),
        "latencies_ms": latencies_ms,
    }


def variation(values: Sequence[float]) -> float:
    return stdev(values) / mean(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--points", type=int, default=1)
    parser.add_argument("--space", default="wmt14-en-de")
    parser.add_argument("--own-reference", action="store_true")
    parser.add_argument("--disturb", action="store_true")
    parser.add_argument("--against", metavar="PYTHON")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = ["--space", arguments.space, "--points", str(arguments.points)]
    settings += ["--own-reference"] * arguments.own_reference
    if arguments.measure:
        folder, seed = arguments.measure
        row = measure(
            Path(folder),
            int(seed),
            space_name=arguments.space,
            n_points=arguments.points,
            own_reference=arguments.own_reference,
        )
        print(json.dumps(row))
        return
    versions = {"this": sys.executable}
    if arguments.against:
        versions["other"] = arguments.against
    rows: dict[str, list[dict[str, Any]]] = {version: [] for version in versions}
    with tempfile.TemporaryDirectory() as name, disturbance(2 * arguments.disturb):
        for seed in range(arguments.sessions):
            for version, python in versions.items():
                row = session(python, Path(name, version), seed, settings)
                rows[version].append(row)
                print(version, seed, row["latency_ms"], row["n_blocks"], file=sys.stderr)
    print(
        json.dumps({version: summary(of_version) for version, of_version in rows.items()}, indent=1)
    )


if __name__ == "__main__":
    main()
