"""This module computes the part of a log's latencies that its features do not explain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_MAX_SQUARED = 30  # columns whose products are features too
_FAR = np.log(20)  # a gap this wide in the residuals separates groups of rows
_ALIKE = np.log(5)
_THOUSAND = np.log(1000)
_MOST_THOUSANDS = 2
_ROUNDS = 5

Vector = NDArray[np.float64]


def residuals(latency: Vector, features: Sequence[Vector]) -> Vector:
    """Return log(latency) less its cross-validated prediction from the features.

    Three models are tried: power laws, which need few rows; a quadratic in log(1 + |feature|), for
    smooth effects; boosted trees, for thresholds. The one with the smallest median size of the
    residuals is taken. The five folds are shuffled and always the same, so they do not depend on
    the order of the rows.

    Args:
        latency: The latency of each row, above 0.
        features: One array per column. Without columns the prediction is the median.
    """
    target: Vector = np.log(latency)
    if not features:
        return target - float(np.median(target))
    # Imported here because it takes a second, and most uses of this package need no check.
    from sklearn.model_selection import KFold, cross_val_predict

    table = np.column_stack(features)
    folds = KFold(min(_FOLDS, len(target)), shuffle=True, random_state=0)
    candidates = [
        target - cross_val_predict(model, table, target, cv=folds) for model in _models(table)
    ]
    return min(candidates, key=lambda values: float(np.median(np.abs(values))))


def thousands(latency: Vector, features: Sequence[Vector]) -> tuple[Vector, Vector]:
    """Return how many factors of 1000 separate each row from the usual rows, and the residuals.

    Sorted residuals are cut into groups at each gap of more than a factor of 20. Rows that are
    far off disturb the prediction. So all groups are brought to the level of the largest one and
    the residuals are computed again, until no row is far off.

    Args:
        latency: The latency of each row, above 0.
        features: One array per column, as in `residuals`.

    Returns:
        The factors and the residuals, one of each per row. A factor is 0 for a usual row, 1 or -1
        for a row that is about 1000 (200 to 5000) times as slow or fast, and 2 or -2 for the
        square of that. It is infinite for any other factor above 200. The residuals are those of
        log(latency) after all rows are brought to one level.
    """
    off = np.zeros(len(latency))
    for _ in range(_ROUNDS):
        left = residuals(latency / np.exp(off), features)
        step = _offsets(left)
        if not step.any():
            break
        off += step
    factors = np.round(off / _THOUSAND)
    is_unit = (np.abs(factors) <= _MOST_THOUSANDS) & (np.abs(off - factors * _THOUSAND) < _ALIKE)
    is_far = np.abs(off) > _THOUSAND - _ALIKE
    return np.where(is_unit, factors, np.where(is_far, np.copysign(np.inf, off), 0.0)), left


def _offsets(values: Vector) -> Vector:
    """Return the distance of each row's group from the largest group."""
    order = np.argsort(values, kind="stable")
    edges = np.flatnonzero(np.diff(values[order]) > _FAR) + 1
    groups = np.split(order, edges)
    # Of two equal groups the slower one is the reference, because the usual mistake is seconds
    # among milliseconds.
    reference = max(reversed(groups), key=len)
    off = np.zeros(len(values))
    for group in groups:
        off[group] = np.median(values[group]) - np.median(values[reference])
    return off


def _models(table: NDArray[np.float64]) -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

    degrees = [1, 2] if table.shape[1] <= _MAX_SQUARED else [1]
    polynomials = [
        make_pipeline(
            FunctionTransformer(_compress),
            StandardScaler(),
            FunctionTransformer(_without_rounding),
            PolynomialFeatures(degree, include_bias=False),
            StandardScaler(),
            RidgeCV(np.logspace(-4, 3, 8)),
        )
        for degree in degrees
    ]
    return [*polynomials, HistGradientBoostingRegressor(random_state=0)]


def _compress(table: NDArray[np.float64]) -> NDArray[np.float64]:
    compressed: NDArray[np.float64] = np.sign(table) * np.log1p(np.abs(table))
    return compressed


def _without_rounding(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exact zeros where a column is constant except for rounding.

    A level that only one row has is constant in the fold that holds this row out. Scaling would
    enlarge the rounding errors of its products, and the row's prediction could be off by any
    factor.
    """
    return np.round(scaled, 9)
