"""This module adds measurements to a predictor that is in use."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from predictors.grouping import joined
from predictors.predictor import Predictor, matrix_of
from predictors.selection import unseen


def refitted(
    predictor: Predictor, frame: pd.DataFrame, latency_ms: Sequence[float], *, seed: int = 0
) -> Predictor:
    """Return a predictor that is fitted to the rows of an earlier one and to new rows.

    Args:
        predictor: The earlier predictor. It is not changed.
        frame: The features of the new rows.
        latency_ms: The latencies of the new rows in milliseconds, above 0, shape (rows,).
        seed: The seed of the folds that give the errors on unseen rows.

    Returns:
        A predictor with the same kind of model and bounds from all rows. The scores in its report
        remain those of the log.

    Raises:
        TableError: A feature is missing or not a number.
        ValueError: There are no new rows, or a latency is not above 0.
    """
    fresh_ms = np.asarray(latency_ms, dtype=np.float64)
    if not len(fresh_ms) or not (fresh_ms > 0).all():
        raise ValueError(f"'latency_ms' must hold latencies above 0. Got {list(latency_ms)}.")
    fresh = matrix_of(frame, predictor.schema, predictor.base)
    known_ms = predictor.unseen_ms * predictor.ratios * _level(predictor, fresh, fresh_ms)
    X = np.vstack([predictor.rows, fresh])
    y = np.concatenate([known_ms, fresh_ms])
    distinct = _group_columns(predictor)
    groups = joined(predictor.groups, predictor.rows[:, distinct], fresh[:, distinct])
    with threadpool_limits(1):  # the systems are small: more threads only wait for each other
        unseen_ms = unseen(predictor.model, X, y, groups=groups, seed=seed)
        model = clone(predictor.model).fit(X, y)
    return replace(
        predictor,
        model=model,
        rows=X,
        unseen_ms=unseen_ms,
        ratios=y / unseen_ms,
        report=replace(
            predictor.report,
            n_rows=len(y),
            n_groups=None if groups is None else len(np.unique(groups)),
        ),
        groups=groups,
    )


def _group_columns(predictor: Predictor) -> NDArray[np.int64]:
    """Return the columns of the matrix that make groups, or all where no feature does.

    Columns that are no features may make groups too. Their values are unknown for new rows.
    """
    every = np.arange(predictor.rows.shape[1])
    if predictor.groups is None:
        return every
    roles, start = predictor.report.roles, 0
    making: list[int] = []
    for feature in predictor.schema.features:
        stop = start + len(feature.columns)
        if roles.get(feature.name) == "feature, group":
            making += range(start, stop)
        start = stop
    return np.array(making, dtype=np.int64) if making else every


def _level(
    predictor: Predictor, fresh: NDArray[np.float64], fresh_ms: NDArray[np.float64]
) -> float:
    """Return the factor that brings the old latencies to the present level of the device.

    The device may run at another level than when the log was measured. The new level is the
    median of the new latencies over their predictions. But new rows are often chosen because
    their prediction is low, and then they take longer than predicted at the old level too. So the
    factor is 1 unless the new level lies outside the errors of all old rows.
    """
    level = float(np.median(fresh_ms / predictor.model.predict(fresh)))
    is_usual = predictor.ratios.min() <= level <= predictor.ratios.max()
    return 1.0 if is_usual else level
