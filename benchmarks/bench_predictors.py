"""This benchmark measures how accurate predictors are that were fitted to few rows of a log.

    python benchmarks/bench_predictors.py LOG [--target COL ...] [--rows 20 50 1600] [--hat 1600]
        [--first-seed 1000] [--rules 0 1 2]

The line `automoe` is the predictor of `automoe fit`. The other lines are its competing models and,
where asked for, HAT's recipe. All are fitted to and tested on the same rows. Rows of the same
recognised architecture are either all fitted or all tested. `--first-seed` draws other splits.

The line `rule N` is the predictor of `automoe fit` if the winner were the simplest model that is
within N standard errors of the smallest error. Its `minus_rule` is the mean difference between its
error and that of the first rule on the same splits. A number after `+-` is a standard error.
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
from threadpoolctl import threadpool_limits

from predictors import fit_log, read_table
from predictors.conformal import ratio_bounds
from predictors.features import FeatureSchema
from predictors.grouping import groups_of
from predictors.models import LatencyModel, competitors
from predictors.preparation import prepare
from predictors.scores import score
from predictors.selection import cross_validated, ranked
from predictors.targets import latency_ms, resolve_targets

_MAX_TEST = 1000


def splits(
    n_rows: int, groups: np.ndarray | None, n_train: int, seeds: range
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows to fit and the rows to test.

    In a grouped log the rows to fit are from one half of the groups, the rows to test from the
    other half.
    """
    for seed in seeds:
        rng = np.random.default_rng(seed)
        known = np.ones(n_rows, bool)
        if groups is not None:
            order = rng.permutation(np.unique(groups))
            known = np.isin(groups, order[: len(order) // 2])
        train = rng.choice(np.flatnonzero(known), min(n_train, known.sum()), replace=False)
        rest = np.setdiff1d(np.arange(n_rows), train) if groups is None else np.flatnonzero(~known)
        yield train, rng.permutation(rest)[:_MAX_TEST]


def main() -> None:
    """Print one JSON line for each number of rows and model: medians, and means with `+-`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--target", action="append")
    parser.add_argument("--rows", type=int, nargs="+", default=[20, 50, 100, 200])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="the seed of the first split")
    parser.add_argument("--rules", type=float, nargs="+", default=[], help="see above")
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
        seeds = range(arguments.first_seed, arguments.first_seed + n_splits)
        for train, test in splits(len(log), groups, n_train, seeds):
            if n_train == arguments.hat:
                own = replace(schema, physics=None).matrix(log)  # raw columns, as published
                results_of["hat_recipe"].append(
                    (*_errors(hat_predictions(own[train], y[train], own[test]), y[test]), np.nan)
                )
            if n_train in arguments.rows:
                for name, result in _ours(log, targets, y, train, test, arguments.only):
                    results_of[name].append(result)
                for name, result in _by_rule(log, targets, y, train, test, arguments.rules):
                    results_of[name].append(result)
        first_rule = [results for name, results in results_of.items() if name.startswith("rule")]
        for name, results in results_of.items():
            line = {"rows": n_train, "model": name, "splits": len(results), **_summary(results)}
            if name.startswith("rule") and results is not first_rule[0]:
                excess = np.array(results)[:, 0] - np.array(first_rule[0])[:, 0]
                line["minus_rule"] = _mean(excess)
            print(json.dumps(line), flush=True)


def _summary(results: list[tuple[float, float, float, float]]) -> dict[str, float | str]:
    mape, within, spearman, coverage = np.median(results, axis=0)
    medians = {"mape": mape, "within_5": within, "spearman": spearman, "coverage": coverage}
    medians["worst_mape"] = max(results)[0]
    # A model without a bound has no coverage.
    line: dict[str, float | str] = {k: round(v, 4) for k, v in medians.items() if v == v}
    line["mean_mape"] = _mean(np.array(results)[:, 0])
    return line if coverage != coverage else line | {"held": _mean(np.array(results)[:, 3])}


def _mean(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{values.mean():.4f} +- {error:.4f}"


def _by_rule(
    log: pd.DataFrame,
    targets: tuple[str, ...],
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    rules: list[float],
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    if not rules:
        return
    ready = prepare(log.iloc[train], targets=targets)
    schema, X, known = ready.schema, ready.matrix, ready.latency_ms
    models = _competitors(schema)
    with threadpool_limits(1):
        unseen = cross_validated(models, X, known, groups=ready.groups)
        predicted: dict[str, np.ndarray] = {}
        for rule in rules:
            selection = ranked(unseen, known, standard_errors=rule)
            name = selection.winner
            if name not in predicted:
                fitted = clone(models[name]).fit(X, known)
                predicted[name] = fitted.predict(schema.matrix(log.iloc[test]))
            _, most = ratio_bounds(known / selection.unseen_ms, 0.95, ready.groups)
            covered = float(np.mean(y[test] <= predicted[name] * most))
            yield f"rule {rule:g}", (*_errors(predicted[name], y[test]), covered)


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
    for name, model in _competitors(schema).items():
        if only is None or name in only:
            predicted = clone(model).fit(X[train], y[train]).predict(X[test])
            yield name, (*_errors(predicted, y[test]), float("nan"))


def _competitors(schema: FeatureSchema) -> dict[str, LatencyModel]:
    return competitors(
        work_columns=schema.work_columns,
        flops_columns=schema.flops_columns,
        overlap=schema.overlap_columns,
        own_columns=schema.own_columns,
    )


def _errors(predicted: np.ndarray, actual: np.ndarray) -> tuple[float, float, float]:
    scores = score("", predicted, actual)
    return scores.mape, scores.within_5, scores.spearman


if __name__ == "__main__":
    main()
