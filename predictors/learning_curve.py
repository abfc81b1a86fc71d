"""How the error falls with the number of rows, and how many more a goal would take."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.base import clone

from predictors.models import LatencyModel
from predictors.scores import score

_SIZES = (10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
_DRAWS = 4
_MAX_TESTED = 500
_ROUNDING = 1e-9
_LARGEST_SHARE = 0.8  # of the rows that may be fitted, so that enough are left to test


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """MAPE on unseen rows by the number of rows fitted, and its law.

    The excess over what no number of rows removes is that of estimating parameters, which falls
    with 1/n: ``mape(n) = floor + slope / n``.

    Attributes:
        rows: Numbers of rows fitted.
        mapes: The mean MAPE of a few draws of each.
        floor: What is left with any number of rows: noise, and what the model cannot express.
        slope: Of the law.
    """

    rows: tuple[int, ...]
    mapes: tuple[float, ...]
    floor: float
    slope: float

    def gain(self, n_rows: int, more: int) -> float:
        """By how much MAPE would fall with so many more rows."""
        return self.slope / n_rows - self.slope / (n_rows + more)

    def rows_for(self, goal: float) -> int | None:
        """How many rows bring MAPE to the goal; None when no number does."""
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
    """The curve of a model; None when the rows are too few for two points of it.

    Args:
        model: Unfitted.
        X: Features, shape (rows, features).
        y: Latency in milliseconds, shape (rows,).
        groups: Of every row; a group is fitted or tested as a whole.
        seed: Of the draws.
    """
    sizes = [size for size in _SIZES if size <= _LARGEST_SHARE * len(y)]
    rng = np.random.default_rng(seed)
    found: dict[int, list[float]] = {}
    for _ in range(_DRAWS):
        order, rest = _drawn(len(y), groups, rng)
        for size in sizes:
            test = np.concatenate([rest, order[size:]]) if groups is None else rest
            if size <= len(order) and len(test) >= 2:
                fitted = clone(model).fit(X[order[:size]], y[order[:size]])
                tested = test[:_MAX_TESTED]
                mape = score("", fitted.predict(X[tested]), y[tested]).mape
                found.setdefault(size, []).append(mape)
    complete = {size: mapes for size, mapes in found.items() if len(mapes) == _DRAWS}
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


def _drawn(
    n_rows: int, groups: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit, in random order, and rows of other groups that are only tested."""
    if groups is None:
        return rng.permutation(n_rows), np.empty(0, dtype=np.int64)
    names = rng.permutation(np.unique(groups))
    tested = np.isin(groups, names[: max(1, len(names) // 4)])
    return rng.permutation(np.flatnonzero(~tested)), rng.permutation(np.flatnonzero(tested))
