"""This module computes how the error falls with the number of rows, and how many a goal takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from predictors.models import LatencyModel
from predictors.scores import score

_SIZES = (10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_DRAWS = 4
_MAX_TESTED = 500
_MIN_GROUPS = 3  # a model of fewer knows too little of how groups differ
_ROUNDING = 1e-9
_REACHED = 1000.0  # the weight of the error that was reached, over that of a point of the curve
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
        groups: The group of every row. Rows are added group after group, and tested are rows of
            groups that were not fitted.
        unseen: The MAPE of the model on unseen rows, in a cross-validation with all rows. When the
            law says that more than this remains or falls, a law is fitted that passes through it.
        seed: The seed of the random choices of rows.
    """
    from sklearn.base import clone  # takes a second to import

    sizes = [size for size in _SIZES if size <= _LARGEST_SHARE * len(y)]
    codes = np.arange(len(y)) if groups is None else groups
    rng = np.random.default_rng(seed)
    mapes_of: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(_DRAWS):
        order = _drawn(codes, rng)
        for size in sizes:
            seen = np.unique(codes[order[:size]])
            test = order[size:][~np.isin(codes[order[size:]], seen)]
            if len(seen) >= _MIN_GROUPS and len(test) >= 2:
                fitted = clone(model).fit(X[order[:size]], y[order[:size]])
                tested = test[:_MAX_TESTED]
                mapes_of[size].append(score("", fitted.predict(X[tested]), y[tested]).mape)
    complete = {size: mapes for size, mapes in mapes_of.items() if len(mapes) == _DRAWS}
    if len(complete) < 2:
        return None
    means = [float(np.mean(mapes)) for mapes in complete.values()]
    floor, slope = _law(list(complete), means)
    if unseen is not None and max(floor, slope / len(y)) > unseen:
        floor, slope = _law([*complete, len(y)], [*means, unseen], last=_REACHED)
    return LearningCurve(tuple(complete), tuple(means), floor, slope)


def _law(rows: Sequence[int], mapes: Sequence[float], last: float = 1.0) -> tuple[float, float]:
    """Return the floor and the slope of the law; `last` is a further weight of the last point."""
    from scipy.optimize import nnls  # takes a moment to import

    weight = np.sqrt(rows)  # few rows make a noisy point
    weight[-1] *= last
    law = np.column_stack([np.ones(len(rows)), 1 / np.array(rows)]) * weight[:, None]
    (floor, slope), _ = nnls(law, np.array(mapes) * weight)
    return float(floor), float(slope)


def _drawn(codes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows in random order, but group after group: more rows are more groups."""
    names, index = np.unique(codes, return_inverse=True)
    rank = np.argsort(rng.permutation(len(names)))
    return np.argsort(rank[index], kind="stable")
