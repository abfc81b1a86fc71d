"""From a log to a predictor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from predictors.conditions import noise_floor
from predictors.conformal import block_coverage
from predictors.effects import effects
from predictors.features import FeatureSchema, constants
from predictors.learning_curve import learning_curve
from predictors.log_quality import judge, quality_counts
from predictors.models import competitors
from predictors.predictor import Predictor, matrix_columns
from predictors.preparation import MIN_ROWS, MIN_ROWS_WITH_BASE, prepare
from predictors.report import Coverage, FitReport
from predictors.roles import roles_of
from predictors.selection import select
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
    ready = prepare(
        frame,
        targets=targets,
        features=features,
        groups=groups,
        base=base,
        least=MIN_ROWS if base is None else MIN_ROWS_WITH_BASE,
    )
    warnings: tuple[str, ...] = ()
    if not isinstance(log, pd.DataFrame):
        lines = list(ready.usable.index)
        warnings = judge(Path(log), ready.targets, lines=lines, varied=features or ())
    schema, X, y = ready.schema, ready.matrix, ready.latency_ms
    models = competitors(
        len(y),
        work_columns=_work_columns(schema, base),
        flops_columns=schema.flops_columns,
        seed=seed,
    )
    selection = select(models, X, y, groups=ready.groups, seed=seed)
    ratios = y / selection.unseen_ms
    model = clone(models[selection.winner]).fit(X, y)
    columns = matrix_columns(schema, base)
    report = FitReport(
        winner=selection.winner,
        n_rows=len(y),
        n_excluded=len(frame) - len(y),
        n_groups=None if ready.groups is None else len(np.unique(ready.groups)),
        targets=ready.targets,
        features=columns,
        roles=roles_of(frame, schema, ready.targets, groups or schema.architecture),
        physics=schema.physics.kind if schema.physics else None,
        models=selection.scores,
        coverage=_coverage(ratios),
        noise_floor=noise_floor(ready.usable, y),
        learning_curve=learning_curve(
            models[selection.winner], X, y, groups=ready.groups, seed=seed
        ),
        effects=effects(model, X, columns),
        quality=quality_counts(ready.usable),
        warnings=warnings,
    )
    return Predictor(
        schema=schema,
        model=model,
        base=base,
        rows=X,
        unseen_ms=selection.unseen_ms,
        ratios=ratios,
        report=report,
        conditions=ready.conditions,
        constants=constants(ready.usable, ready.targets),
    )


def _work_columns(schema: FeatureSchema, base: Predictor | None) -> tuple[int, ...]:
    """The other device's prediction has a price as well: by how much this device is slower."""
    return (*schema.work_columns, *([len(schema.columns)] if base is not None else []))


def _coverage(ratios: NDArray[np.float64]) -> tuple[Coverage, ...]:
    shares = {c: block_coverage(ratios, c) for c in _REPORTED_CONFIDENCES}
    return tuple(Coverage(c, share) for c, share in shares.items() if share is not None)
