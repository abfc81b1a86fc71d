"""This module fits a predictor to a log."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from predictors.conditions import noise_floor
from predictors.conformal import block_coverage
from predictors.effects import effects
from predictors.features import FeatureSchema, constants
from predictors.learning_curve import learning_curve
from predictors.log_quality import judge, quality_counts
from predictors.models import LatencyModel, competitors
from predictors.predictor import Predictor, matrix_columns
from predictors.preparation import MOST_ROWS, Prepared, prepare
from predictors.report import Coverage, FitReport
from predictors.selection import Selection, select
from predictors.table import read_table

OnProgress = Callable[[int, int, str], None]

_REPORTED_CONFIDENCES = (0.9, 0.95)


def _no_progress(done: int, total: int, note: str) -> None:
    """Report nothing."""


def fit_log(
    log: str | Path | pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    base: Predictor | None = None,
    seed: int = 0,
    unit: str | None = None,
    on_progress: OnProgress = _no_progress,
) -> Predictor:
    """Return the predictor of a log, with bounds and a report.

    Args:
        log: A CSV file, or a frame like those of `read_table`. Only a file is searched for drift,
            mixed units and duplicates. Of a longer file, 50 000 rows are drawn with `seed`.
        targets: Columns that are summed to the latency. Each is converted to milliseconds from the
            unit in its name. None takes `latency_ms`, or the latency of a known program's table.
        features: Columns to predict from; None infers them (see `FeatureSchema.infer`).
        groups: Columns whose combinations make groups. A group is fitted or tested as a whole.
            None takes the architecture of a recognised table.
        base: A predictor of another device with the same columns. Its prediction becomes a
            feature, and 8 rows are enough for a prediction. A bound at 0.95 takes 19 in any case.
        seed: The seed of the folds and of the models that draw at random.
        unit: The unit of the targets, `us`, `ms` or `s`, where no name tells it.
        on_progress: A function that is called as `on_progress(done, total, note)` after each step.

    Raises:
        TableError: The log is damaged, mixes conditions or units, lacks a column, or has fewer
            than 20 rows that did not fail (8 with a base).
    """
    frame = log if isinstance(log, pd.DataFrame) else read_table(log, most=MOST_ROWS, seed=seed)
    ready = prepare(frame, targets=targets, features=features, groups=groups, base=base, unit=unit)
    warnings: tuple[str, ...] = ()
    if not isinstance(log, pd.DataFrame):
        lines = list(ready.usable.index)
        varied = features or ()
        warnings = judge(Path(log), ready.targets, lines=lines, varied=varied, unit=unit)
    with threadpool_limits(1):  # the systems are small: more threads only wait for each other
        return _fitted(ready, base=base, seed=seed, warnings=warnings, on_progress=on_progress)


def _fitted(
    ready: Prepared,
    *,
    base: Predictor | None,
    seed: int,
    warnings: tuple[str, ...],
    on_progress: OnProgress,
) -> Predictor:
    """Return the winner of the competition, fitted to all rows, with its report."""
    X, y, groups = ready.matrix, ready.latency_ms, ready.groups
    models = competitors(
        work_columns=_work_columns(ready.schema, base),
        flops_columns=ready.schema.flops_columns,
        overlap=ready.schema.overlap_columns,
        own_columns=ready.schema.own_columns,
        seed=seed,
    )
    total = len(models) + 2  # with the winner's own fit and its learning curve
    compared = partial(_report_compared, on_progress, total)
    selection = select(models, X, y, groups=groups, seed=seed, on_compared=compared)
    winner = models[selection.winner]
    model = clone(winner).fit(X, y)
    on_progress(total - 1, total, f"{selection.winner} won; drawing its learning curve")
    reached = selection.scores[0].mape
    curve = learning_curve(winner, X, y, groups=groups, unseen=reached, seed=seed)
    on_progress(total, total, "")
    report = _report(ready, selection, matrix_columns(ready.schema, base), model=model)
    return Predictor(
        schema=ready.schema,
        model=model,
        base=base,
        rows=X,
        unseen_ms=selection.unseen_ms,
        ratios=y / selection.unseen_ms,
        report=replace(report, learning_curve=curve, warnings=warnings),
        conditions=ready.conditions,
        constants=constants(ready.usable, ready.targets),
        details=ready.details,
        groups=ready.groups,
    )


def _report_compared(on_progress: OnProgress, total: int, n_compared: int, name: str) -> None:
    on_progress(n_compared, total, f"{name} was tested on unseen rows")


def _report(
    ready: Prepared, selection: Selection, columns: tuple[str, ...], *, model: LatencyModel
) -> FitReport:
    """Return the report of a fit, still without a learning curve and warnings."""
    return FitReport(
        winner=selection.winner,
        n_rows=len(ready.latency_ms),
        n_excluded=ready.n_excluded,
        n_groups=None if ready.groups is None else len(np.unique(ready.groups)),
        targets=ready.targets,
        features=columns,
        roles=ready.roles,
        physics=ready.schema.physics.kind if ready.schema.physics else None,
        models=selection.scores,
        coverage=_coverage(ready, selection, model),
        noise_floor=noise_floor(ready.usable, ready.latency_ms),
        learning_curve=None,
        effects=effects(model, ready.matrix, columns),
        quality=quality_counts(ready.usable),
        warnings=(),
        left_out=ready.left_out,
        conversions=ready.conversions,
    )


def _work_columns(schema: FeatureSchema, base: Predictor | None) -> tuple[int, ...]:
    """Return the columns with a price: the work, and the prediction of the base."""
    return (*schema.work_columns, *([len(schema.columns)] if base is not None else []))


def _coverage(ready: Prepared, selection: Selection, model: LatencyModel) -> tuple[Coverage, ...]:
    ratios = ready.latency_ms / selection.unseen_ms
    fitted = ready.latency_ms / model.predict(ready.matrix)
    shares = {
        c: block_coverage(ratios, c, groups=ready.groups, fitted=fitted)
        for c in _REPORTED_CONFIDENCES
    }
    return tuple(Coverage(c, share) for c, share in shares.items() if share is not None)
