"""More measurements for a predictor that is in use."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from predictors.grouping import repeats
from predictors.predictor import Predictor, matrix_of
from predictors.selection import unseen


def refitted(
    predictor: Predictor, frame: pd.DataFrame, latency_ms: Sequence[float], *, seed: int = 0
) -> Predictor:
    """The same kind of model fitted to the rows it knew and to new ones.

    Args:
        predictor: What has been fitted; left as it is.
        frame: The features of the new rows.
        latency_ms: Their latencies, above 0, shape (rows,).
        seed: Of the folds that give the errors on unseen rows.

    Returns:
        A predictor with the bounds of all rows. Its report's scores stay those of the log.

    Raises:
        TableError: A feature is missing or not a number.
        ValueError: There is no row, or a latency is not above 0.
    """
    fresh_ms = np.asarray(latency_ms, dtype=np.float64)
    if not len(fresh_ms) or not (fresh_ms > 0).all():
        raise ValueError(f"'latency_ms' must hold latencies above 0. Got {list(latency_ms)}.")
    fresh = matrix_of(frame, predictor.schema, predictor.base)
    known_ms = predictor.unseen_ms * predictor.ratios * _level(predictor, fresh, fresh_ms)
    X = np.vstack([predictor.rows, fresh])
    y = np.concatenate([known_ms, fresh_ms])
    unseen_ms = unseen(predictor.model, X, y, groups=repeats(X), seed=seed)
    return replace(
        predictor,
        model=clone(predictor.model).fit(X, y),
        rows=X,
        unseen_ms=unseen_ms,
        ratios=y / unseen_ms,
        report=replace(predictor.report, n_rows=len(y)),
    )


def _level(
    predictor: Predictor, fresh: NDArray[np.float64], fresh_ms: NDArray[np.float64]
) -> float:
    """What to multiply the old latencies by, so that they are of the device as it is now.

    It need not run at the level that it had when the log was measured: the median of new
    latencies over what was predicted for them. But new rows are often picked because their
    prediction was low, and so take longer than predicted on the same device too: the level counts
    only when no old row was ever that far off.
    """
    level = float(np.median(fresh_ms / predictor.model.predict(fresh)))
    is_usual = predictor.ratios.min() <= level <= predictor.ratios.max()
    return 1.0 if is_usual else level
