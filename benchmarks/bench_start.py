"""Claim: `automoe --help` takes under 0.3 s, `import automoe` under 0.2 s beyond Python alone.

    python benchmarks/bench_start.py [--runs 10]

Each figure is the median over runs in fresh processes, which take turns: seconds until the process
ends, and seconds of processor time, which depend less on other programs. Files are cached: the
first run of each is not counted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import automoe"],
    "help": [sys.executable, "-m", "automoe", "--help"],
}


def run(command: list[str]) -> tuple[float, float]:
    """Return the seconds of a process, and those of its processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    root = Path(__file__).parents[1]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=root, env=dict(os.environ))
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    rounds = [
        {name: run(command) for name, command in COMMANDS.items()}
        for _ in range(arguments.runs + 1)
    ][1:]
    figures = {
        kind: {name: median(each[name][index] for each in rounds) for name in COMMANDS}
        for index, kind in enumerate(("wall_s", "processor_s"))
    }
    for each in figures.values():
        each["import beyond python"] = each["import"] - each["python"]
    print(json.dumps({"runs": arguments.runs, **figures}, indent=2))


if __name__ == "__main__":
    main()
