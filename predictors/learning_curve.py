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
_MIN_GROUPS = 3  # a model of fewer knows too little of how groups differ
_ROUNDING = 1e-9
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
        seed: The seed of the random choices of rows.
    """
    from scipy.optimize import nnls  # this and scikit-learn take a second to import
    from sklearn.base import clone

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
    rows = np.array(list(complete), dtype=np.float64)
    means = np.array([np.mean(mapes) for mapes in complete.values()])
    weight = np.sqrt(rows)  # few rows make a noisy point
    law = np.column_stack([np.ones(len(rows)), 1 / rows]) * weight[:, None]
    (floor, slope), _ = nnls(law, means * weight)
    return LearningCurve(
        tuple(int(n) for n in rows), tuple(map(float, means)), float(floor), float(slope)
    )


def _drawn(codes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows in random order, but group after group: more rows are more groups."""
    names, index = np.unique(codes, return_inverse=True)
    rank = np.argsort(rng.permutation(len(names)))
    return np.argsort(rank[index], kind="stable")
