"""This module computes how the error falls with the number of rows, and how many a goal takes."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from predictors.models import LatencyModel
from predictors.scores import score

_SIZES = (10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_DRAWS = 4
_MAX_TESTED = 500
_ROUNDING = 1e-9
_REACHED = 100  # the weight of the error that was reached, over that of all points of the curve
_LARGEST_SHARE = 0.8  # the share of rows that may be fitted, so that enough are left to test


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The MAPE on unseen rows by the number of rows fitted, and its law.

    One part of the error remains with any number of rows. The other part comes from estimated
    parameters and falls with 1/n. So the law is ``mape(n) = floor + slope / n``.

    Attributes:
        rows: The numbers of rows that were fitted.
        mapes: The mean MAPE over a few random choices of rows, for each number.
        floor: The error that remains with any number of rows: noise, and what the model cannot
            express.
        slope: The slope of the law.
    """

    rows: tuple[int, ...]
    mapes: tuple[float, ...]
    floor: float
    slope: float

    def gain(self, n_rows: int, more: int) -> float:
        """Return by how much the MAPE of `n_rows` rows would fall with `more` rows."""
        return self.slope / n_rows - self.slope / (n_rows + more)

    def rows_for(self, goal: float) -> int | None:
        """Return the number of rows that bring the MAPE to the goal.

        Return None when no number of rows does.
        """
        if self.floor >= goal:
            return None
        return ceil(self.slope / (goal - self.floor) - _ROUNDING)


def learning_curve(
    model: LatencyModel,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    groups: NDArray[np.int64] | None = None,
    unseen: float | None = None,
    seed: int = 0,
) -> LearningCurve | None:
    """Return the learning curve of a model.

    Return None when the rows are too few for two points of the curve.

    Args:
        model: An unfitted model.
        X: The features, shape (rows, features).
        y: The latency in milliseconds, shape (rows,).
        groups: The group of every row. A group is fitted or tested as a whole.
        unseen: The MAPE of the model on unseen rows, in a cross-validation with all rows. When the
            law says that more than this remains, a law is fitted that passes through it.
        seed: The seed of the random choices of rows.
    """
    from scipy.optimize import nnls  # this and scikit-learn take a second to import
    from sklearn.base import clone

    sizes = [size for size in _SIZES if size <= _LARGEST_SHARE * len(y)]
    rng = np.random.default_rng(seed)
    mapes_of: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(_DRAWS):
        order, rest = _drawn(len(y), groups, rng)
        for size in sizes:
            test = np.concatenate([rest, order[size:]]) if groups is None else rest
            if size <= len(order) and len(test) >= 2:
                fitted = clone(model).fit(X[order[:size]], y[order[:size]])
                tested = test[:_MAX_TESTED]
                mapes_of[size].append(score("", fitted.predict(X[tested]), y[tested]).mape)
    complete = {size: mapes for size, mapes in mapes_of.items() if len(mapes) == _DRAWS}
    if len(complete) < 2:
        return None
    rows = np.array(list(complete), dtype=np.float64)
    means = np.array([np.mean(mapes) for mapes in complete.values()])
    weight = np.sqrt(rows)  # few rows make a noisy point
    law = np.column_stack([np.ones(len(rows)), 1 / rows]) * weight[:, None]
    (floor, slope), _ = nnls(law, means * weight)
    if unseen is not None and floor > unseen:
        reached = np.array([1, 1 / len(y)]) * _REACHED * weight.sum()
        through = np.append(means * weight, unseen * _REACHED * weight.sum())
        (floor, slope), _ = nnls(np.vstack([law, reached]), through)
    return LearningCurve(
        tuple(int(n) for n in rows), tuple(map(float, means)), float(floor), float(slope)
    )


def _drawn(
    n_rows: int, groups: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to fit, in random order, and rows of other groups that are only tested."""
    if groups is None:
        return rng.permutation(n_rows), np.empty(0, dtype=np.int64)
    names = rng.permutation(np.unique(groups))
    tested = np.isin(groups, names[: max(1, len(names) // 4)])
    return rng.permutation(np.flatnonzero(~tested)), rng.permutation(np.flatnonzero(tested))
