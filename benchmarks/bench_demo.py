"""Claim: `make demo` takes at most six minutes on two idle cores, and its winner has a BLEU of 8.

    python benchmarks/bench_demo.py [examples/quickstart.yaml]

It runs `automoe run` on the configuration, whose folder must not exist: every stage is timed.
It prints the seconds of each stage and those of processor time of all processes, which depend less
on other programs. A stage lasts until the next one reports, at most ten seconds after its begin. Of
a process that ends, the time since the last look at it is missing, 0.5 s at most.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from automoe.pipeline import RunConfig

LOOK_S = 0.5
TITLES = ("Profile", "Fit", "Supernet", "Search", "Verify", "Finetune", "Evaluate", "Report")
TICKS = os.sysconf("SC_CLK_TCK")


def processes() -> dict[int, tuple[int, float]]:
    """Return the parent of each process of this machine, and its seconds of processor time."""
    known = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        known[int(path.parent.name)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS
    return known


def tree_of(root: int, known: dict[int, tuple[int, float]]) -> set[int]:
    """Return a process and all processes that it started, directly or not."""
    tree, n_before = {root}, 0
    while len(tree) > n_before:
        n_before = len(tree)
        tree |= {pid for pid, (parent, _) in known.items() if parent in tree}
    return tree


def stage_of(told: str) -> str:
    """Return the stage of the last line of progress."""
    for line in reversed(told.splitlines()):
        title = line.partition(":")[0]
        if title.partition(" ")[0] in TITLES:
            return title
    return "start"


def follow(command: list[str], told: Path) -> list[tuple[float, float, str]]:
    """Run a command. Return the time, the processor time so far and the stage at each look."""
    used: dict[int, float] = {}
    looks = []
    with told.open("w") as stderr:
        run = subprocess.Popen(command, stderr=stderr)
        while run.poll() is None:
            known = processes()
            used |= {pid: known[pid][1] for pid in tree_of(run.pid, known) if pid in known}
            looks.append((time.monotonic(), sum(used.values()), stage_of(told.read_text())))
            time.sleep(LOOK_S)
    if run.returncode not in (0, 4):
        sys.exit(f"'{' '.join(command)}' ended with {run.returncode}:\n{told.read_text()[-2000:]}")
    return looks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?", type=Path, default="examples/quickstart.yaml")
    config = parser.parse_args().config
    folder = RunConfig.load(config).folder
    if folder.exists():
        sys.exit(f"'{folder}' exists, so finished stages would take no time. Delete it first.")
    command = [sys.executable, "-m", "automoe", "run", str(config)]
    with tempfile.TemporaryDirectory() as scratch:
        looks = follow(command, Path(scratch) / "told.txt")
    stages: dict[str, tuple[float, float]] = {}
    for (before, used_before, _), (now, used, stage) in pairwise(looks):
        wall_s, cpu_s = stages.get(stage, (0.0, 0.0))
        stages[stage] = wall_s + now - before, cpu_s + used - used_before
    stages["all"] = tuple(map(sum, zip(*stages.values(), strict=True)))
    print("\nlast progress of      wall s  processor s")
    for stage, (wall_s, cpu_s) in stages.items():
        print(f"{stage:<20}  {wall_s:6.0f}  {cpu_s:11.0f}")
    result = json.loads((folder / "result.json").read_text())
    print(f"BLEU of {result['n_sentences']} sentences: winner {result['bleu']:.1f}, ", end="")
    print(f"largest dense model {result['baseline']['bleu']:.1f}")


if __name__ == "__main__":
    main()
