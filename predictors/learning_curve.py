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
_MOST_MISSED, _LEAST_MISSED = 0.25, 0.001  # a share of a point, and a share that is shown as 0.1 %
_LARGEST_SHARE = 0.8  # the share of rows that may be fitted, so that enough are left to test


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The MAPE on unseen rows by the number of rows fitted, and its law.

    One part of the error is the noise, and what the model cannot express. The other part comes from
    estimated parameters and falls with 1/n. So the law is ``mape(n) = floor + slope / n``. It holds
    for one model: another one may win with more rows, and be better.

    Attributes:
        rows: The numbers of rows that were fitted.
        mapes: The mean MAPE over a few random choices of rows, for each number. The last one is
            that of a cross-validation with all rows, when it is known.
        floor: The error that would remain of this model, by the law.
        slope: The slope of the law.
    """

    rows: tuple[int, ...]
    mapes: tuple[float, ...]
    floor: float
    slope: float

    @property
    def follows_law(self) -> bool:
        """Whether the law passes near all points, and may be drawn on to more rows."""
        law = self.floor + self.slope / np.array(self.rows)
        missed, mapes = np.abs(law - self.mapes), np.array(self.mapes)
        return bool((missed <= np.maximum(_MOST_MISSED * mapes, _LEAST_MISSED)).all())

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
        unseen: The MAPE of the model on unseen rows, in a cross-validation with all rows. The law
            passes through it.
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
    rows, means = list(complete), [float(np.mean(mapes)) for mapes in complete.values()]
    if unseen is not None:
        rows, means = [*rows, len(y)], [*means, unseen]
    floor, slope = _law(rows, means, last=1.0 if unseen is None else _REACHED)
    return LearningCurve(tuple(rows), tuple(means), floor, slope)


def _law(rows: Sequence[int], mapes: Sequence[float], *, last: float) -> tuple[float, float]:
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
