"""This program evaluates every architecture of the oracle's space and writes ``oracle/table.csv``.

    automoe train --space benchmarks/oracle/space.yaml \
        --settings benchmarks/oracle/training.yaml -o runs/oracle
    automoe profile --device cpu --space benchmarks/oracle/space.yaml -n 60 --fast \
        --log benchmarks/oracle/latency.csv
    python benchmarks/build_oracle.py --supernet runs/oracle

The same command resumes a killed run, because every loss is kept in the supernet's folder.
"""

import argparse
import csv
from pathlib import Path

from oracle.table import FOLDER, SPACE, TABLE, every_architecture

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.model import LatencyModel
from automoe.search import Evaluator, FitnessCache, SupernetFitness
from automoe.search.workers.pool import workers
from automoe.text import open_corpus
from predictors import fit_log, read_table

_EVERY = 16  # every sixteenth sentence of the validation text is used: 13 of 200


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supernet", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    space = SearchSpace.load(str(SPACE))
    architectures = list(every_architecture(space))
    with workers(arguments.jobs) as evaluation_workers:
        evaluator = Evaluator(
            SupernetFitness(arguments.supernet, open_corpus(), _EVERY),
            cache=FitnessCache(arguments.supernet / "fitness.jsonl"),
            workers=evaluation_workers,
        )
        losses = evaluator(architectures)
    predictor = fit_log(read_table(FOLDER / "latency.csv"))
    latency = LatencyModel(predictor, TranslationWorkload.of(space))
    latency_ms = latency.predict(architectures)["predicted_ms"]
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "loss", "latency_ms"))
        for architecture, each_ms in zip(architectures, latency_ms, strict=True):
            writer.writerow((architecture.id, f"{losses[architecture]:.6f}", f"{each_ms:.5f}"))


if __name__ == "__main__":
    main()
