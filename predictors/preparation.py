"""This module prepares a log for a fit, or refuses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devices.rounding import counted
from predictors.conditions import conditions, details, usable_rows
from predictors.features import FeatureSchema, left_out
from predictors.giveaways import giveaways, nearly_determining
from predictors.grouping import group_columns, groups_of
from predictors.predictor import Predictor, matrix_of
from predictors.roles import roles_of
from predictors.table import TableError, read_table, source
from predictors.targets import latency_ms, resolve_targets, target_units
from profilers import Problem
from profilers.log.conditions import KEPT, ONE_PER_LOG

MIN_ROWS: Final = 20
MIN_ROWS_WITH_BASE: Final = 8
MOST_ROWS: Final = 50_000  # more make a fit longer and its error no smaller


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A log that can be fitted.

    Attributes:
        usable: The rows that did not fail.
        n_excluded: The number of rows that failed.
        targets: The columns that are summed to the latency.
        latency_ms: The latency in milliseconds, shape (rows,).
        schema: The features.
        matrix: The features' values and the base's prediction, shape (rows, columns).
        groups: The group of every row, shape (rows,); None when each row is a group by itself.
        roles: The role of each column, see `predictors.roles`.
        left_out: The columns that are no features because they look like results, with the reason.
        conversions: A sentence for each target that was converted to milliseconds, and for each
            other change of what the file holds.
        conditions: The conditions of the log, by column.
        details: The details of conditions, see `predictors.conditions.details`.
    """

    usable: pd.DataFrame
    n_excluded: int
    targets: tuple[str, ...]
    latency_ms: NDArray[np.float64]
    schema: FeatureSchema
    matrix: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    roles: dict[str, str]
    left_out: dict[str, str]
    conversions: tuple[str, ...]
    conditions: dict[str, str]
    details: dict[str, Any]


def prepare(
    frame: pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    base: Predictor | None = None,
    least: int | None = None,
    unit: str | None = None,
) -> Prepared:
    """Return the rows, the latency and the features of a log.

    Args:
        frame: The log.
        targets: The target columns, as in `fit_log`.
        features: The columns to predict from, as in `fit_log`.
        groups: The columns that make groups, as in `fit_log`.
        base: A predictor of another device, as in `fit_log`.
        least: The least number of rows that did not fail. None takes that of `fit_log`: 20, or 8
            with a base.
        unit: The unit of the targets, as in `fit_log`.

    Raises:
        TableError: The log cannot be fitted as it is.
    """
    if least is None:
        least = MIN_ROWS if base is None else MIN_ROWS_WITH_BASE
    names = resolve_targets(frame, targets)
    usable = usable_rows(frame)
    if len(usable) < least:
        raise TableError(
            f"{source(frame)} has {counted(len(usable), 'usable row')} of {len(frame)}; a "
            f"predictor needs {least}. Measure {least - len(usable)} more."
        )
    latency = latency_ms(usable, names, unit)
    units = target_units(usable, names, unit)
    held = conditions(usable, varied=(*names, *(features or ())))
    _check_base(base, held)
    schema, reasons, doubts = _schema(usable, names, features, latency)
    X = matrix_of(usable, schema, base)
    grouping = group_columns(usable, groups, schema.architecture, targets=names)
    return Prepared(
        usable=usable,
        n_excluded=len(frame) - len(usable),
        targets=names,
        latency_ms=latency,
        schema=schema,
        matrix=X,
        groups=groups_of(usable, groups, schema.architecture, X, targets=names),
        roles=roles_of(frame, schema, names, grouping),
        left_out=reasons,
        conversions=(
            *usable.attrs.get("remarks", ()),
            *schema.remarks(usable),
            *(x for name, own in units.items() if (x := own.conversion(name))),
            *doubts,
        ),
        conditions=held,
        details=details(usable),
    )


def _schema(
    usable: pd.DataFrame,
    targets: Sequence[str],
    features: Sequence[str] | None,
    latency: NDArray[np.float64],
) -> tuple[FeatureSchema, dict[str, str], tuple[str, ...]]:
    """Return the features, the columns that look like results, and sentences about others."""
    schema = FeatureSchema.infer(usable, targets, features)
    if features is not None or schema.is_marked:
        return schema, {}, ()
    told = giveaways(usable, schema, latency, targets)
    if told:
        schema = FeatureSchema.infer(usable, targets, without=told)
    doubts = nearly_determining(usable, schema, latency, targets)
    return schema, {**left_out(usable, targets), **told}, doubts


def fit_problems(
    path: Path, targets: Sequence[str], unit: str | None = None
) -> tuple[Problem, ...]:
    """Return the problems that make a fit refuse a log, see `trial_of_fit`."""
    return trial_of_fit(path, targets, unit)[0]


def trial_of_fit(
    path: Path, targets: Sequence[str], unit: str | None = None
) -> tuple[tuple[Problem, ...], dict[str, str]]:
    """Return what a fit would say of a log, without fitting.

    Args:
        path: The log.
        targets: The columns whose sum is the latency.
        unit: The unit of the targets, as in `fit_log`.

    Returns:
        The problems that make a fit refuse the log and that `audit_log` does not find, and the
        columns that a fit would leave out of the features, with the reason for each.
    """
    least = MIN_ROWS_WITH_BASE
    try:
        frame = read_table(path, most=MOST_ROWS)
        if 0 < len(usable := usable_rows(frame)) < least:
            return (_too_few(len(usable)),), {}
        ready = prepare(frame, targets=targets, least=least, unit=unit)
    except TableError as error:
        remedy = "until then `automoe fit` refuses the log"
        return (Problem("fit", "problem", str(error), remedy),), {}
    n_rows = len(ready.usable)
    if n_rows >= MIN_ROWS:
        return (), ready.left_out
    return (_too_few(n_rows),), ready.left_out


def _too_few(n_rows: int) -> Problem:
    """Return the problem of a log that is too short, for any fit or for one without a base."""
    usable = counted(n_rows, "usable row")
    message = f"{usable}; a fit needs {MIN_ROWS}, or {MIN_ROWS_WITH_BASE} with a base"
    remedy = f"measure {MIN_ROWS - n_rows} more"
    if n_rows < MIN_ROWS_WITH_BASE:
        return Problem("fit", "problem", message, remedy)
    return Problem("rows", "warning", message, remedy)


def _check_base(base: Predictor | None, held: dict[str, str]) -> None:
    """Check that the base cannot have been fitted to the rows that it would be tested on."""
    if base is None or "device_fingerprint" not in held:
        return
    # One log never has rows that differ in these conditions. So a base that differs in one of
    # them has not seen the rows. Predictors of 0.1.0 do not keep the version, which was 2.
    known = ({"schema_version": "2"} if "schema_version" in held else {}) | base.conditions
    if all(known.get(name) == held.get(name) for name in ONE_PER_LOG if name in KEPT):
        raise TableError(
            f"'base' must be of another device or workload. Got one of device "
            f"{held['device_fingerprint']} with this workload, which may have seen these rows."
        )
