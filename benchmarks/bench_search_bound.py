"""Claim: of 200 searches, at most 5 % of the picks exceed their budget at confidence 0.95.

A predictor is fitted to a few rows of a log, and the other rows are the pool. A search picks the
row of the pool with the largest value of a column among those whose bound is within the budget.
Every feature is such a column in turn, or only those of ``--by``. Budgets are drawn between the
10th and the 90th percentile of the predictions. The plain prediction, the conformal bound and the
bound for searches are compared. The benchmark prints how often the measured latency of a pick
exceeds the budget, for the column where that is worst, and by how much on average. It also prints
how far the bound lies above the plain one, and what share of a budget the picks leave unused.

    python benchmarks/bench_search_bound.py LOG [--target COL ...] [--rows 50] [--by COLUMN ...]
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from bench_predictors import splits

from predictors import fit_log, read_table
from predictors.features import FeatureSchema
from predictors.grouping import groups_of
from predictors.targets import latency_ms, resolve_targets

_SPLITS = 10
_BUDGETS = 20


def main() -> None:
    """Print one JSON line for each bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--target", action="append")
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--by", action="append", help="columns to maximise; default: all")
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--splits", type=int, default=_SPLITS)
    arguments = parser.parse_args()
    log = read_table(arguments.log)
    targets = resolve_targets(log, arguments.target)
    actual_ms = latency_ms(log, targets)
    schema = FeatureSchema.infer(log, targets)
    groups = groups_of(log, None, schema.architecture)
    over: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    coverage, widths = defaultdict(list), defaultdict(list)
    for seed, (train, pool) in enumerate(
        splits(len(log), groups, arguments.rows, arguments.splits)
    ):
        rng = np.random.default_rng(seed)
        predictor = fit_log(log.iloc[train], targets=targets)
        plain, searched = (
            predictor.predict(log.iloc[pool], confidence=arguments.confidence, searched=flag)
            for flag in (False, True)
        )
        bounds = {
            "prediction": plain["predicted_ms"].to_numpy(),
            "conformal": plain["upper_ms"].to_numpy(),
            "searched": searched["upper_ms"].to_numpy(),
        }
        sizes = predictor.schema.matrix(log.iloc[pool])
        low, high = np.quantile(bounds["prediction"], [0.1, 0.9])
        budgets = rng.uniform(low, high, _BUDGETS)
        for name, upper_ms in bounds.items():
            coverage[name].append(np.mean(actual_ms[pool] <= upper_ms))
            widths[name].append(np.mean(upper_ms / bounds["conformal"]))
            for index, column in enumerate(predictor.schema.columns):
                if arguments.by and column not in arguments.by:
                    continue
                for budget in budgets:
                    fits = np.flatnonzero(upper_ms <= budget)
                    if len(fits) and np.ptp(sizes[:, index]) > 0:
                        best = fits[np.lexsort((upper_ms[fits], sizes[fits, index]))[-1]]
                        over[name][column].append(actual_ms[pool[best]] / budget - 1)
    for name, by_column in over.items():
        shares = {column: float(np.mean(np.array(x) > 0)) for column, x in by_column.items()}
        worst = max(shares, key=lambda column: shares[column])
        excess = np.maximum(by_column[worst], 0)
        line = {
            "bound": name,
            "searches": len(by_column[worst]),
            "over_budget_worst": round(shares[worst], 4),
            "worst_column": worst,
            "over_budget_mean": round(float(np.mean(list(shares.values()))), 4),
            "mean_excess_when_over": round(float(excess[excess > 0].mean()), 4)
            if excess.any()
            else 0.0,
            "over_conformal_bound": round(float(np.mean(widths[name])) - 1, 4),
            "unused_of_budget": round(-float(np.mean(np.concatenate(list(by_column.values())))), 4),
            "coverage_of_all_rows": round(float(np.mean(coverage[name])), 4),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    main()
