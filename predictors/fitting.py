"""From a log to a predictor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from predictors.conditions import noise_floor
from predictors.conformal import block_coverage
from predictors.effects import Effect, effects
from predictors.features import FeatureSchema, constants
from predictors.learning_curve import LearningCurve, learning_curve
from predictors.log_quality import judge, quality_counts
from predictors.models import LatencyModel, competitors
from predictors.predictor import Predictor, matrix_columns
from predictors.preparation import MIN_ROWS, MIN_ROWS_WITH_BASE, Prepared, prepare
from predictors.report import Coverage, FitReport
from predictors.roles import roles_of
from predictors.selection import Selection, select
from predictors.table import read_table

_REPORTED_CONFIDENCES = (0.9, 0.95)


def fit_log(
    log: str | Path | pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    base: Predictor | None = None,
    seed: int = 0,
) -> Predictor:
    """The latency model that predicts a log best, with bounds and a report.

    Args:
        log: A CSV file, or a frame as `read_table` gives it. Only a file is searched for drift,
            mixed units and duplicates.
        targets: Columns in milliseconds, summed to the latency; None takes `latency_ms`.
        features: Columns to predict from; None infers them (see `FeatureSchema.infer`).
        groups: Columns of whose combinations none may be both fitted and tested; None takes the
            architecture of a recognised table.
        base: A predictor of another device with the same columns: its prediction becomes a
            feature, and 8 rows suffice.
        seed: Of the folds and of the models that draw at random.

    Raises:
        TableError: When the log is damaged, mixes conditions or units, lacks a column, or has
            fewer than 20 rows that did not fail.
    """
    frame = log if isinstance(log, pd.DataFrame) else read_table(log)
    least = MIN_ROWS if base is None else MIN_ROWS_WITH_BASE
    ready = prepare(
        frame, targets=targets, features=features, groups=groups, base=base, least=least
    )
    warnings: tuple[str, ...] = ()
    if not isinstance(log, pd.DataFrame):
        lines = list(ready.usable.index)
        warnings = judge(Path(log), ready.targets, lines=lines, varied=features or ())
    schema, X, y = ready.schema, ready.matrix, ready.latency_ms
    models = _competitors(ready, base, seed)
    selection = select(models, X, y, groups=ready.groups, seed=seed)
    winner = models[selection.winner]
    model = clone(winner).fit(X, y)
    columns = matrix_columns(schema, base)
    report = _report(
        ready,
        selection,
        columns=columns,
        n_excluded=len(frame) - len(y),
        roles=roles_of(frame, schema, ready.targets, groups or schema.architecture),
        curve=learning_curve(winner, X, y, groups=ready.groups, seed=seed),
        column_effects=effects(model, X, columns),
        warnings=warnings,
    )
    return _predictor(ready, selection, model=model, base=base, report=report)


def _competitors(ready: Prepared, base: Predictor | None, seed: int) -> dict[str, LatencyModel]:
    """The models that compete for a log, by name."""
    return competitors(
        len(ready.latency_ms),
        work_columns=_work_columns(ready.schema, base),
        flops_columns=ready.schema.flops_columns,
        seed=seed,
    )


def _report(
    ready: Prepared,
    selection: Selection,
    *,
    columns: tuple[str, ...],
    n_excluded: int,
    roles: dict[str, str],
    curve: LearningCurve | None,
    column_effects: tuple[Effect, ...],
    warnings: tuple[str, ...],
) -> FitReport:
    """What a fit says of itself."""
    return FitReport(
        winner=selection.winner,
        n_rows=len(ready.latency_ms),
        n_excluded=n_excluded,
        n_groups=None if ready.groups is None else len(np.unique(ready.groups)),
        targets=ready.targets,
        features=columns,
        roles=roles,
        physics=ready.schema.physics.kind if ready.schema.physics else None,
        models=selection.scores,
        coverage=_coverage(ready.latency_ms / selection.unseen_ms),
        noise_floor=noise_floor(ready.usable, ready.latency_ms),
        learning_curve=curve,
        effects=column_effects,
        quality=quality_counts(ready.usable),
        warnings=warnings,
    )


def _predictor(
    ready: Prepared,
    selection: Selection,
    *,
    model: LatencyModel,
    base: Predictor | None,
    report: FitReport,
) -> Predictor:
    """The winner, with what its bounds and its warnings are computed from."""
    return Predictor(
        schema=ready.schema,
        model=model,
        base=base,
        rows=ready.matrix,
        unseen_ms=selection.unseen_ms,
        ratios=ready.latency_ms / selection.unseen_ms,
        report=report,
        conditions=ready.conditions,
        constants=constants(ready.usable, ready.targets),
        details=ready.details,
    )


def _work_columns(schema: FeatureSchema, base: Predictor | None) -> tuple[int, ...]:
    """The other device's prediction has a price as well: by how much this device is slower."""
    return (*schema.work_columns, *([len(schema.columns)] if base is not None else []))


def _coverage(ratios: NDArray[np.float64]) -> tuple[Coverage, ...]:
    shares = {c: block_coverage(ratios, c) for c in _REPORTED_CONFIDENCES}
    return tuple(Coverage(c, share) for c, share in shares.items() if share is not None)
