"""Claim: `automoe log check` takes at most 5 s for 10 000 rows and at most 15 s for 100 000.

Each table is random and sound: a latency that follows from three numbers and a name, with 1 % of
noise. The seconds are those of the whole command, its start included.

    python benchmarks/bench_table_check.py [--rows 10000 100000] [--repeats 2]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

_NS_A_UNIT = 100  # of batch times width times layers


def sound_table(n_rows: int) -> pd.DataFrame:
    """Return a table of random inputs and of latencies that follow from them."""
    random = np.random.default_rng(n_rows)
    inputs = pd.DataFrame(
        {
            "batch": random.choice([1, 2, 4, 8, 16], n_rows),
            "width": random.choice([64, 128, 256, 512], n_rows),
            "layers": random.integers(1, 13, n_rows),
            "kind": random.choice(["a", "b"], n_rows),
        }
    )
    size = inputs["batch"] * inputs["width"] * inputs["layers"]
    factor = np.where(inputs["kind"] == "a", 1.0, 1.2)
    noise = random.lognormal(0, 0.01, n_rows)
    return inputs.assign(latency_ms=(0.2 + _NS_A_UNIT * 1e-6 * size * factor) * noise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in arguments.rows:
            table = Path(folder) / f"{n_rows}.csv"
            sound_table(n_rows).to_csv(table, index=False)
            for _ in range(arguments.repeats):
                start = time.perf_counter()
                command = [sys.executable, "-m", "automoe", "log", "check", str(table)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                print(f"{n_rows} rows: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
