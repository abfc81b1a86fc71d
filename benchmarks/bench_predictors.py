"""This benchmark measures how accurate predictors are that were fitted to few rows of a log.

    python benchmarks/bench_predictors.py LOG [--target COL ...] [--rows 20 50 1600] [--hat 1600]

The line `automoe` is the predictor of `automoe fit`. The other lines are its competing models and,
where asked for, HAT's recipe. All are fitted to and tested on the same rows. Rows of the same
recognised architecture are either all fitted or all tested.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from hat_recipe import hat_predictions
from sklearn.base import clone

from predictors import fit_log, read_table
from predictors.features import FeatureSchema
from predictors.grouping import groups_of
from predictors.models import competitors
from predictors.scores import score
from predictors.targets import latency_ms, resolve_targets

_MAX_TEST = 1000


def splits(
    n_rows: int, groups: np.ndarray | None, n_train: int, n_splits: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows to fit and the rows to test.

    In a grouped log the rows to fit are from one half of the groups, the rows to test from the
    other half.
    """
    for seed in range(n_splits):
        rng = np.random.default_rng(seed)
        known = np.ones(n_rows, bool)
        if groups is not None:
            order = rng.permutation(np.unique(groups))
            known = np.isin(groups, order[: len(order) // 2])
        train = rng.choice(np.flatnonzero(known), min(n_train, known.sum()), replace=False)
        rest = np.setdiff1d(np.arange(n_rows), train) if groups is None else np.flatnonzero(~known)
        yield train, rng.permutation(rest)[:_MAX_TEST]


def main() -> None:
    """Print one JSON line for each number of rows and model, with medians over the splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--target", action="append")
    parser.add_argument("--rows", type=int, nargs="+", default=[20, 50, 100, 200])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--hat", type=int, default=0, help="rows for HAT's recipe; 0: without")
    parser.add_argument("--only", action="append", help="models; default: all")
    arguments = parser.parse_args()
    log = read_table(arguments.log)
    targets = resolve_targets(log, arguments.target)
    y = latency_ms(log, targets)
    schema = FeatureSchema.infer(log, targets)
    groups = groups_of(log, None, schema.architecture)
    for n_train in [*arguments.rows, *([arguments.hat] if arguments.hat else [])]:
        results_of = defaultdict(list)
        n_splits = arguments.splits if n_train < 1000 else min(3, arguments.splits)
        for train, test in splits(len(log), groups, n_train, n_splits):
            if n_train == arguments.hat:
                own = replace(schema, physics=None).matrix(log)  # raw columns, as published
                results_of["hat_recipe"].append(
                    (*_errors(hat_predictions(own[train], y[train], own[test]), y[test]), np.nan)
                )
            if n_train in arguments.rows:
                for name, result in _ours(log, targets, y, train, test, arguments.only):
                    results_of[name].append(result)
        for name, results in results_of.items():
            mape, within, spearman, coverage = np.median(results, axis=0)
            line = {"rows": n_train, "model": name, "mape": mape, "within_5": within}
            line |= {"spearman": spearman, "coverage": coverage, "worst_mape": max(results)[0]}
            known = {k: v for k, v in line.items() if v == v}  # no coverage without a bound
            rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in known.items()}
            print(json.dumps(rounded), flush=True)


def _ours(
    log: pd.DataFrame,
    targets: tuple[str, ...],
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    only: list[str] | None,
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    rows = log.iloc[train]
    if only is None or "automoe" in only:
        predictor = fit_log(rows, targets=targets)
        bounds = predictor.predict(log.iloc[test])
        covered = float(np.mean(y[test] <= bounds["upper_ms"].to_numpy()))
        yield "automoe", (*_errors(bounds["predicted_ms"].to_numpy(), y[test]), covered)
    schema = FeatureSchema.infer(rows, targets)
    X = schema.matrix(log)
    models = competitors(
        len(train),
        work_columns=schema.work_columns,
        flops_columns=schema.flops_columns,
        overlap=schema.overlap_columns,
        own_columns=schema.own_columns,
    )
    for name, model in models.items():
        if only is None or name in only:
            predicted = clone(model).fit(X[train], y[train]).predict(X[test])
            yield name, (*_errors(predicted, y[test]), float("nan"))


def _errors(predicted: np.ndarray, actual: np.ndarray) -> tuple[float, float, float]:
    scores = score("", predicted, actual)
    return scores.mape, scores.within_5, scores.spearman


if __name__ == "__main__":
    main()
