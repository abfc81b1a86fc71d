"""Claim: `automoe predict` takes a second of processor time, whichever model won the fit.

    python benchmarks/bench_prediction_start.py [--runs 5]

Predictors of a small table are saved, one with each of the two models, and predict its rows in a
new process. `user_seconds` is the least processor time of a process in user mode.
"""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from predictors import fit_log
from predictors.models import competitors


def user_seconds(command: list[str]) -> float:
    """Return the processor time in user mode of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    """Print one JSON line for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(0)
    log = pd.DataFrame(rng.uniform(1, 10, (60, 3)).round(3), columns=["depth", "width", "heads"])
    log["latency_ms"] = log.sum(axis=1) * rng.lognormal(0, 0.1, len(log))
    predictor = fit_log(log)
    models = competitors()
    with TemporaryDirectory() as folder:
        rows = Path(folder, "rows.csv")
        log.drop(columns="latency_ms").to_csv(rows, index=False)
        for name in ("roofline", "roofline_boost"):
            model = models[name].fit(predictor.rows, log["latency_ms"].to_numpy())
            path = Path(folder, f"{name}.predictor")
            report = replace(predictor.report, winner=name)
            replace(predictor, model=model, report=report).save(path)
            command = [sys.executable, "-m", "automoe", "predict", str(path), str(rows)]
            seconds = [user_seconds(command) for _ in range(runs)]
            print(json.dumps({"winner": name, "user_seconds": round(min(seconds), 2)}), flush=True)


if __name__ == "__main__":
    main()
