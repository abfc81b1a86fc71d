"""What of a log a model is fitted to, and everything that speaks against fitting one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.conditions import conditions, details, usable_rows
from predictors.features import FeatureSchema
from predictors.grouping import groups_of
from predictors.predictor import Predictor, matrix_of
from predictors.table import TableError, read_table, source
from predictors.targets import latency_ms, resolve_targets
from profilers import Problem
from profilers.log.conditions import KEPT, ONE_PER_LOG

MIN_ROWS: Final = 20
MIN_ROWS_WITH_BASE: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A log that can be fitted.

    Attributes:
        usable: Its rows that did not fail.
        targets: The columns that are summed.
        latency_ms: Their sum, shape (rows,).
        schema: The features.
        matrix: Their values and the base's prediction, shape (rows, columns).
        groups: Of every row, shape (rows,); None when every row stands alone.
        conditions: What the log was measured under, by column.
        details: What stands behind the texts of conditions, see `predictors.conditions.details`.
    """

    usable: pd.DataFrame
    targets: tuple[str, ...]
    latency_ms: NDArray[np.float64]
    schema: FeatureSchema
    matrix: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    conditions: dict[str, str]
    details: dict[str, Any]


def prepare(
    frame: pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    base: Predictor | None = None,
    least: int = MIN_ROWS,
) -> Prepared:
    """The rows, the latency and the features of a log.

    Args:
        frame: The log.
        targets: As of `fit_log`, and so the next three.
        features: Columns to predict from.
        groups: Columns of whose combinations none may be split.
        base: A predictor of another device.
        least: How many rows must not have failed.

    Raises:
        TableError: The log cannot be fitted as it is.
    """
    names = resolve_targets(frame, targets)
    usable = usable_rows(frame)
    _check_rows(frame, usable, least)
    latency = latency_ms(usable, names)
    held = conditions(usable, varied=features or ())
    _check_base(base, held)
    schema = FeatureSchema.infer(usable, names, features)
    X = matrix_of(usable, schema, base)
    codes = groups_of(usable, groups, schema.architecture, X, targets=names)
    return Prepared(usable, names, latency, schema, X, codes, held, details(usable))


def fit_problems(path: Path, targets: Sequence[str]) -> tuple[Problem, ...]:
    """What else than `audit_log` finds makes a fit refuse a log.

    Args:
        path: The log.
        targets: The columns whose sum is the latency.
    """
    try:
        n_rows = len(prepare(read_table(path), targets=targets, least=MIN_ROWS_WITH_BASE).usable)
    except TableError as error:
        return (Problem("fit", "problem", str(error), "until then `automoe fit` refuses the log"),)
    if n_rows >= MIN_ROWS:
        return ()
    message = f"{n_rows} usable rows; a fit needs {MIN_ROWS}, or {MIN_ROWS_WITH_BASE} with a base"
    return (Problem("rows", "warning", message, f"measure {MIN_ROWS - n_rows} more"),)


def _check_rows(frame: pd.DataFrame, usable: pd.DataFrame, least: int) -> None:
    if len(usable) < least:
        raise TableError(
            f"{source(frame)} has {len(usable)} usable rows of {len(frame)}; a predictor needs "
            f"{least}. Measure {least - len(usable)} more."
        )


def _check_base(base: Predictor | None, held: dict[str, str]) -> None:
    """Refuse a base that may have been fitted to the very rows it would be tested on."""
    if base is None or "device_fingerprint" not in held:
        return
    # Rows under different conditions of these are never in one log, so no base has seen both.
    if all(base.conditions.get(name) == held.get(name) for name in ONE_PER_LOG if name in KEPT):
        raise TableError(
            f"'base' must be of another device or workload. Got one of device "
            f"{held['device_fingerprint']} with this workload, which may have seen these rows."
        )
