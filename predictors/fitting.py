"""From a log to a predictor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from sklearn.base import clone

from predictors.conditions import conditions, noise_floor, usable_rows
from predictors.conformal import block_coverage
from predictors.features import FeatureSchema, constants
from predictors.models import competitors
from predictors.predictor import Predictor
from predictors.report import Coverage, FitReport
from predictors.selection import Selection, select
from predictors.table import TableError, read_table, source
from predictors.targets import latency_ms, resolve_targets

MIN_ROWS: Final = 20

_REPORTED_CONFIDENCES = (0.9, 0.95)


def fit_log(
    log: str | Path | pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    seed: int = 0,
) -> Predictor:
    """The latency model that predicts a log best, with bounds and a report.

    Args:
        log: A CSV file, or a frame as `read_table` gives it.
        targets: Columns in milliseconds, summed to the latency; None takes `latency_ms`.
        features: Columns to predict from; None infers them (see `FeatureSchema.infer`).
        seed: Of the folds and of the models that draw at random.

    Raises:
        TableError: When the log is damaged, mixes conditions, lacks a column, or has fewer than
            20 rows that did not fail.
    """
    frame = log if isinstance(log, pd.DataFrame) else read_table(log)
    names = resolve_targets(frame, targets)
    usable = usable_rows(frame)
    _check_rows(frame, usable)
    y = latency_ms(usable, names)
    held = conditions(usable, varied=features or ())
    schema = FeatureSchema.infer(usable, names, features)
    X = schema.matrix(usable)
    models = competitors(len(y), flops_columns=schema.flops_columns, seed=seed)
    selection = select(models, X, y, seed=seed)
    report = FitReport(
        winner=selection.winner,
        n_rows=len(usable),
        n_excluded=len(frame) - len(usable),
        targets=names,
        features=schema.columns,
        models=selection.scores,
        coverage=_coverage(selection),
        noise_floor=noise_floor(usable, y),
    )
    model = clone(models[selection.winner]).fit(X, y)
    low, high = X.min(axis=0), X.max(axis=0)
    return Predictor(
        schema=schema,
        model=model,
        ratios=selection.ratios,
        low=low,
        high=high,
        report=report,
        conditions=held,
        constants=constants(usable, names),
    )


def _check_rows(frame: pd.DataFrame, usable: pd.DataFrame) -> None:
    if len(usable) < MIN_ROWS:
        raise TableError(
            f"{source(frame)} has {len(usable)} usable rows of {len(frame)}; a predictor needs "
            f"{MIN_ROWS}. Measure {MIN_ROWS - len(usable)} more."
        )


def _coverage(selection: Selection) -> tuple[Coverage, ...]:
    shares = {c: block_coverage(selection.ratios, c) for c in _REPORTED_CONFIDENCES}
    return tuple(Coverage(c, share) for c, share in shares.items() if share is not None)
