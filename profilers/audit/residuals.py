"""What the features of a log do not explain of its latencies."""

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
    """log(latency) less its cross-validated prediction from the features.

    The best of three predictors is taken, by the median size of the residuals: power laws, which
    need few rows; a quadratic in log(1 + |feature|), for smooth effects; boosted trees, for
    thresholds. Five shuffled folds, always the same: none of them sees the row order.

    Args:
        latency: Positive, one per row.
        features: One array per column; without any the prediction is the median.
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
    """By how many factors of 1000 each row is off the rows that agree, and the residuals.

    Rows form groups where the sorted residuals leave a gap of more than a factor of 20. The
    predictors are disturbed by rows that are far off, so all groups are brought to the level of
    the largest and the residuals computed again, until nothing is far off any more.

    Args:
        latency: As of `residuals`.
        features: As of `residuals`.

    Returns:
        Per row 0, or 1, -1, 2, -2 for a row 200 to 5000 times as slow or fast, or that squared;
        infinity for other factors above 200. And the residuals of log(latency) as if no row were
        off.
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
    """How far the group of each row is off the largest group."""
    order = np.argsort(values, kind="stable")
    edges = np.flatnonzero(np.diff(values[order]) > _FAR) + 1
    groups = np.split(order, edges)
    # Of two equal groups the slower is the reference: seconds among milliseconds are the rule.
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
    """Exact zeros where a column is constant but for rounding.

    The level of a single row is constant wherever that row is held out. What rounding leaves of
    its products would be scaled up to size, and the row be predicted as off by any factor.
    """
    return np.round(scaled, 9)
