"""From a log to a predictor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from predictors.conditions import conditions, noise_floor, usable_rows
from predictors.conformal import block_coverage
from predictors.effects import effects
from predictors.features import FeatureSchema, constants
from predictors.grouping import groups_of
from predictors.learning_curve import learning_curve
from predictors.log_quality import judge, quality_counts
from predictors.models import competitors
from predictors.predictor import Predictor, matrix_columns, matrix_of
from predictors.report import Coverage, FitReport
from predictors.roles import roles_of
from predictors.selection import select
from predictors.table import TableError, read_table, source
from predictors.targets import latency_ms, resolve_targets

MIN_ROWS: Final = 20
MIN_ROWS_WITH_BASE: Final = 8

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
    names = resolve_targets(frame, targets)
    usable = usable_rows(frame)
    _check_rows(frame, usable, MIN_ROWS if base is None else MIN_ROWS_WITH_BASE)
    y = latency_ms(usable, names)
    held = conditions(usable, varied=features or ())
    _check_base(base, held)
    warnings: tuple[str, ...] = ()
    if not isinstance(log, pd.DataFrame):
        warnings = judge(Path(log), names, lines=list(usable.index), varied=features or ())
    schema = FeatureSchema.infer(usable, names, features)
    X = matrix_of(usable, schema, base)
    models = competitors(
        len(y),
        work_columns=_work_columns(schema, base),
        flops_columns=schema.flops_columns,
        seed=seed,
    )
    codes = groups_of(usable, groups, schema.architecture, X)
    selection = select(models, X, y, groups=codes, seed=seed)
    ratios = y / selection.unseen_ms
    model = clone(models[selection.winner]).fit(X, y)
    columns = matrix_columns(schema, base)
    report = FitReport(
        winner=selection.winner,
        n_rows=len(usable),
        n_excluded=len(frame) - len(usable),
        n_groups=None if codes is None else len(np.unique(codes)),
        targets=names,
        features=columns,
        roles=roles_of(frame, schema, names, groups or schema.architecture),
        physics=schema.physics.kind if schema.physics else None,
        models=selection.scores,
        coverage=_coverage(ratios),
        noise_floor=noise_floor(usable, y),
        learning_curve=learning_curve(models[selection.winner], X, y, groups=codes, seed=seed),
        effects=effects(model, X, columns),
        quality=quality_counts(usable),
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
        conditions=held,
        constants=constants(usable, names),
    )


def _check_rows(frame: pd.DataFrame, usable: pd.DataFrame, least: int) -> None:
    if len(usable) < least:
        raise TableError(
            f"{source(frame)} has {len(usable)} usable rows of {len(frame)}; a predictor needs "
            f"{least}. Measure {least - len(usable)} more."
        )


def _check_base(base: Predictor | None, held: dict[str, str]) -> None:
    """Refuse a base that may have been fitted to the very rows it would be tested on."""
    names = ("device_fingerprint", "power_mode", "threads", "workload")
    if base is None or names[0] not in held:
        return
    if all(base.conditions.get(name) == held.get(name) for name in names):
        raise TableError(
            f"'base' must be of another device or workload. Got one of device "
            f"{held[names[0]]} with this workload, which may have seen these rows."
        )


def _work_columns(schema: FeatureSchema, base: Predictor | None) -> tuple[int, ...]:
    """The other device's prediction has a price as well: by how much this device is slower."""
    return (*schema.work_columns, *([len(schema.columns)] if base is not None else []))


def _coverage(ratios: NDArray[np.float64]) -> tuple[Coverage, ...]:
    shares = {c: block_coverage(ratios, c) for c in _REPORTED_CONFIDENCES}
    return tuple(Coverage(c, share) for c, share in shares.items() if share is not None)
