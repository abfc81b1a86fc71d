"""Claim: `log show`, `log check` and `compare` take at most 2 minutes and 2 GB for 1 000 000 rows.

The logs are in the form of `automoe profile`, with the columns of a measured one. The seconds are
those of the processor for the whole command, its start included; the memory is the most that it
held. `fit` reads the same log and draws 50 000 of its rows.

    python benchmarks/bench_large_logs.py --rows 1000000
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from large_log import write_long_log

COMMANDS = {
    "log show": ["log", "show", "a.csv"],
    "compare": ["compare", "a.csv", "b.csv"],
    "log check": ["log", "check", "a.csv"],
    "fit": ["fit", "a.csv", "-o", "a.predictor"],
}


def cost(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds of the processor and the peak memory in MB of a command of AutoMoE."""
    process = subprocess.Popen(
        [sys.executable, "-m", "automoe", *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"'automoe {' '.join(command)}' failed with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--command", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--folder", type=Path, help="keep the logs here, and use those it has")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for seed, name in enumerate(("a.csv", "b.csv")):
            if not (folder / name).exists():
                write_long_log(folder / name, arguments.rows, seed=seed)
        size_mb = (folder / "a.csv").stat().st_size / 1e6
        print(f"{arguments.rows} rows, {size_mb:.0f} MB")
        for name in arguments.command:
            seconds, peak_mb = cost(COMMANDS[name], folder)
            print(f"{name:10} {seconds:6.1f} s of the processor {peak_mb:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
