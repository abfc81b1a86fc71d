"""Claim: of 200 searches, at most 5 % of the picks exceed their budget at confidence 0.95.

A predictor is fitted to a few rows of a log, and the other rows are the pool. Rows outside of the
log, for which `automoe predict` says that its bounds promise nothing, are left out. A search picks
the row of the pool with the largest value of a column among those whose bound is within the
budget. Every feature is such a column in turn, or only those of ``--by``. Budgets are drawn between
the 10th and the 90th percentile of the predictions. The plain prediction, the conformal bound and
the bound for searches are compared. The benchmark prints how often the measured latency of a pick
exceeds the budget, for the column where that is worst, and by how much on average. A number after
`+-` is a standard error over the splits. The column that is worst of many is partly so by chance:
`over_budget_same` is the share in the second half of the splits for the column that is worst in
the first half. The benchmark also prints how far the bound lies above the plain one, and what share
of a budget the picks leave unused.

    python benchmarks/bench_search_bound.py LOG [--target COL ...] [--rows 50] [--by COLUMN ...]
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
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
    parser.add_argument("--outside", action="store_true", help="also rows outside of the log")
    arguments = parser.parse_args()
    log = read_table(arguments.log)
    targets = resolve_targets(log, arguments.target)
    actual_ms = latency_ms(log, targets)
    schema = FeatureSchema.infer(log, targets)
    groups = groups_of(log, None, schema.architecture)
    picks: list[tuple[str, str, int, float]] = []  # bound, column, split, actual over budget less 1
    coverage, widths, pools = defaultdict(list), defaultdict(list), []
    for seed, (train, pool) in enumerate(
        splits(len(log), groups, arguments.rows, range(arguments.splits))
    ):
        rng = np.random.default_rng(seed)
        predictor = fit_log(log.iloc[train], targets=targets)
        if not arguments.outside:
            pool = pool[~predictor.extrapolates(log.iloc[pool]).to_numpy()]
        pools.append(len(pool))
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
                        picks.append((name, column, seed, actual_ms[pool[best]] / budget - 1))
    table = pd.DataFrame(picks, columns=["bound", "column", "split", "excess"])
    for name, own in table.groupby("bound", sort=False):
        line = {"bound": name, "candidates": int(np.median(pools)), **_over_budget(own)}
        line["over_conformal_bound"] = round(float(np.mean(widths[name])) - 1, 4)
        line["unused_of_budget"] = round(-float(own["excess"].mean()), 4)
        line["coverage_of_all_rows"] = round(float(np.mean(coverage[name])), 4)
        print(json.dumps(line))


def _over_budget(picks: pd.DataFrame) -> dict[str, str | float]:
    """Return how often the picks of one bound exceed their budget, and by how much."""
    is_over = picks.assign(excess=picks["excess"] > 0)
    shares = is_over.groupby("column")["excess"].mean()
    worst = shares.idxmax()
    by_split = is_over[is_over["column"] == worst].groupby("split")["excess"].mean()
    is_first = is_over["split"] <= is_over["split"].median()
    chosen = is_over[is_first].groupby("column")["excess"].mean().idxmax()
    rest = is_over[~is_first & (is_over["column"] == chosen)]
    beyond = picks[(picks["column"] == worst) & (picks["excess"] > 0)]["excess"]
    error = by_split.std() / np.sqrt(len(by_split))
    return {
        "searches": int((picks["column"] == worst).sum()),
        "over_budget_worst": f"{shares[worst]:.4f} +- {error:.4f}",
        "worst_column": str(worst),
        "over_budget_same": round(float(rest["excess"].mean()), 4),
        "over_budget_mean": round(float(shares.mean()), 4),
        "mean_excess_when_over": round(float(beyond.mean()), 4) if len(beyond) else 0.0,
    }


if __name__ == "__main__":
    main()
