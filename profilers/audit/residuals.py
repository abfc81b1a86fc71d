"""This module finds the rows whose latency contradicts what the other rows make likely.

A row is judged only by rows that resemble it. Its latency is wrong when it is far from the
prediction from these rows, measured by how surely they predict it. So a sound row with a value
that hardly any other row has is not accused, however slow it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profilers.audit.gaussian_process import GaussianProcess, Prediction, scaled

MIN_ROWS = 10  # for predictions from features
_FAR = np.log(20)  # a row this far off may disturb the prediction of the others
_ALIKE = np.log(5)
_THOUSAND = np.log(1000)
_MOST_THOUSANDS = 2
_ROUNDS = 10
_UNUSUAL = 2.5  # deviations; a row that is set aside is not yet accused
_MOST_ASIDE = 0.25  # share of the rows
_SURE = 5.0  # deviations, for a factor of 1000
_SURE_SWAP = 4.0  # deviations of each of the two rows
_CHANCE = 1e-5  # that some pair of a sound log looks exchanged
_ODD = 1.0
_MOST_ODD = 300
_LEAST_GAIN = 3.0  # in the logarithm of the likelihood
_MANY = 2000  # rows, among which chance alone makes many pairs look exchanged
_LEAST_GAIN_OF_MANY = 25.0
_TRIED_PAIRS = 3
_MOST_SWAPS = 5
_USUAL = 3.0  # deviations
_UNKNOWN = 1e6  # the deviation of a prediction from one or two rows
_OUTSTANDING = 1.5
_RESEMBLING = 3  # rows that a row must resemble in each column to be judged
_NEAR = 1.0  # standard deviations of a column

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Unexplained:
    """The share of each latency that the features do not explain.

    Attributes:
        factors: The number of factors of 1000 that separate each row from its prediction. It is 0
            for a usual row, 1 or -1 for a row that is about 1000 (200 to 5000) times as slow or
            fast, 2 or -2 for the square of that, and infinite for any other factor above 200.
        swapped: The pairs of rows whose latencies seem to be exchanged.
        residuals: The logarithm of each latency less its prediction, after these faults are mended.
        prediction: The prediction of log(latency) after these faults are mended and outliers are
            brought to three deviations.
    """

    factors: Vector
    swapped: tuple[tuple[int, int], ...]
    residuals: Vector
    prediction: Prediction


def unexplained(latency: Vector, columns: Sequence[Vector]) -> Unexplained:
    """Return what the features leave unexplained in the latencies.

    Args:
        latency: The latency of each row, above 0.
        columns: One array per feature, see `GaussianProcess`. Without columns, or with fewer than
            10 rows, the prediction is the median.
    """
    model = _Model(columns, len(latency))
    target: Vector = np.log(latency)
    kept, prediction = _usual(model, target)
    target, kept, swapped, prediction = _unswapped(model, target, kept, prediction)
    factors = _factors(model, kept, prediction)
    if factors.any():
        target = target - np.where(np.isfinite(factors), factors, 0.0) * _THOUSAND
        prediction = model.predict(target, np.isfinite(factors))
    z = prediction.residuals / prediction.deviations
    # In the spread of the rows themselves, so that a drift of all rows is not cut away.
    limit = _USUAL * 1.4826 * float(np.median(np.abs(z))) * prediction.deviations
    residuals = prediction.residuals
    if (limit > 0).all() and (np.abs(residuals) > limit).any():
        clipped = target - residuals + np.clip(residuals, -limit, limit)
        prediction = model.predict(clipped, np.ones(len(target), dtype=bool))
        residuals = target - clipped + prediction.residuals
    return Unexplained(factors, swapped, residuals, prediction)


class _Model:
    """A prediction from the columns, or from the median where columns or rows are too few."""

    def __init__(self, columns: Sequence[Vector], n: int) -> None:
        self.columns = [scaled(x) if x.ndim == 1 else x for x in columns] if n >= MIN_ROWS else []
        self._process = GaussianProcess(self.columns) if self.columns else None

    def predict(self, target: Vector, kept: NDArray[np.bool_]) -> Prediction:
        if self._process is not None:
            return self._process.predict(target, kept)
        usual = target[kept]
        residuals = target - float(np.median(usual))
        deviation = float(np.std(usual)) if len(usual) > 2 else _UNKNOWN
        return Prediction(residuals, np.full(len(target), max(deviation, 1e-9)))

    def sides(self, row: int, least_values: int) -> Iterator[NDArray[np.bool_]]:
        """Yield the rows that are at least, and those that are at most, as large in one column."""
        for column in self.columns:
            is_tried = column.ndim == 1 and len(np.unique(column)) >= least_values
            for sign in (1.0, -1.0) if is_tried else ():
                side = sign * column >= sign * column[row]
                if not side.all():
                    yield side

    def is_beyond_a_step(self, rows: NDArray[np.bool_]) -> bool:
        """Return whether several rows are all those above or below some value of one column."""
        if rows.sum() < _RESEMBLING or rows.all():
            return False
        ranges = [(x[rows], x[~rows]) for x in self.columns if x.ndim == 1]
        return any(a.min() > b.max() or a.max() < b.min() for a, b in ranges)

    def resembled(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows resemble at least three other kept rows in each single column."""
        good = np.ones(len(kept), dtype=bool)
        for column in self.columns:
            if column.ndim == 2:
                n_alike = column @ column[kept].sum(0)
                good &= n_alike - kept >= _RESEMBLING
            else:
                known = np.sort(column[kept])
                first = np.searchsorted(known, column - _NEAR, side="left")
                last = np.searchsorted(known, column + _NEAR, side="right")
                good &= last - first - kept >= _RESEMBLING
        return good


def _usual(model: _Model, target: Vector) -> tuple[NDArray[np.bool_], Prediction]:
    """Return the rows from which the others are predicted, and the prediction."""
    kept = np.ones(len(target), dtype=bool)
    prediction = model.predict(target, kept)
    for _ in range(_ROUNDS):
        aside = kept & _may_disturb(prediction, kept)
        if not aside.any() or (kept & ~aside).sum() < 2:
            break
        kept &= ~aside
        prediction = model.predict(target, kept)
    return kept, prediction


def _factors(model: _Model, kept: NDArray[np.bool_], prediction: Prediction) -> Vector:
    """Return how many factors of 1000 each row is off that was set aside."""
    off = prediction.residuals
    is_judged = ~kept & (np.abs(off) > _SURE * prediction.deviations) & model.resembled(kept)
    is_judged &= np.abs(off) > _THOUSAND - _ALIKE
    if model.is_beyond_a_step(is_judged):
        is_judged[:] = False
    factors = np.round(off / _THOUSAND)
    is_unit = (np.abs(factors) <= _MOST_THOUSANDS) & (np.abs(off - factors * _THOUSAND) < _ALIKE)
    return np.where(is_judged, np.where(is_unit, factors, np.copysign(np.inf, off)), 0.0)


def _may_disturb(prediction: Prediction, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rows that are far off, and may therefore disturb the prediction of the others.

    These are the rows beyond a gap of more than a factor of 20 in the sorted residuals, and single
    rows that are further off than a factor of 20. Of two equal groups the slower one is usual,
    because the usual mistake is seconds among milliseconds.
    """
    residuals = prediction.residuals
    rows = np.flatnonzero(kept)
    order = rows[np.argsort(residuals[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(residuals[order]) > _FAR) + 1)
    aside = kept.copy()
    aside[max(reversed(groups), key=len)] = False
    room = int(_MOST_ASIDE * len(kept)) - int((~kept).sum())
    size = np.where(kept & ~aside, np.abs(residuals), 0.0)
    far = (size > _FAR) & (size > _UNUSUAL * prediction.deviations) & (size > size.max() / 2)
    worst = np.argsort(-size, kind="stable")[: max(0, room)]
    aside[worst[far[worst]]] = True
    return aside


def _unswapped(
    model: _Model, target: Vector, kept: NDArray[np.bool_], prediction: Prediction
) -> tuple[Vector, NDArray[np.bool_], tuple[tuple[int, int], ...], Prediction]:
    """Mend exchanged latencies.

    Returns:
        The target with the latencies in their places, the rows that are kept now, the pairs, and
        the prediction of the target.
    """
    pairs: list[tuple[int, int]] = []
    judged = model.resembled(kept) if model.columns else np.zeros(len(kept), dtype=bool)
    for _ in range(_MOST_SWAPS):
        for pair in _likely_pairs(target, judged, prediction):
            rows = list(pair)
            changed, joined = target.copy(), kept.copy()
            changed[rows] = target[rows[::-1]]
            joined[rows] = True
            fitted = model.predict(changed, joined)
            if _explains(target, changed, pair, judged & joined, fitted) and not _is_at_a_step(
                model, target, changed, pair, joined
            ):
                target, kept, prediction = changed, joined, fitted
                pairs.append(pair)
                break
        else:
            break
    return target, kept, tuple(pairs), prediction


def _is_at_a_step(
    model: _Model, target: Vector, changed: Vector, pair: tuple[int, int], kept: NDArray[np.bool_]
) -> bool:
    """Return whether one row is beside a step of a size, or both are beside a step of any number.

    A column of few values divides the rows into large groups, one of which suits a row by chance.
    """

    def is_beside(row: int, least: int) -> bool:
        return _is_beside_a_step(
            model, target, row, mended=changed[row], kept=kept, least_values=least
        )

    return any(is_beside(row, MIN_ROWS) for row in pair) or all(is_beside(row, 2) for row in pair)


def _is_beside_a_step(
    model: _Model,
    target: Vector,
    row: int,
    *,
    mended: float,
    kept: NDArray[np.bool_],
    least_values: int,
) -> bool:
    """Return whether the rows to one side of a row make its latency likely as it is.

    A prediction is smooth. So it is wrong about the last rows before and after a step, such as the
    size that no longer fits into a cache, and exchanging them would make the step smooth.
    Only columns of at least so many different values are tried.
    """
    away = abs(target[row] - mended)
    for side in model.sides(row, least_values):
        near = side & kept
        near[row] = False
        if near.sum() >= MIN_ROWS:
            prediction = model.predict(target, near)
            deviation = prediction.deviations[row]
            if abs(prediction.residuals[row]) < min(away / 2, _USUAL * deviation) and (
                deviation < away / 4
            ):
                return True
    return False


def _likely_pairs(
    target: Vector, judged: NDArray[np.bool_], prediction: Prediction
) -> list[tuple[int, int]]:
    """Return the pairs whose exchange makes the latencies most likely, the best one first."""
    z = np.where(judged, np.abs(prediction.residuals / prediction.deviations), 0.0)
    rows = np.argsort(-z, kind="stable")[:_MOST_ODD]
    rows = rows[z[rows] > _ODD]
    precision, scores = prediction.precision, prediction.scores
    if precision is None or scores is None:
        weights = 1 / prediction.deviations[rows] ** 2
        precision, scores = np.diag(weights), prediction.residuals[rows] * weights
    else:
        precision, scores = precision[np.ix_(rows, rows)], scores[rows]
    diagonal = np.diag(precision)
    step = target[rows][None, :] - target[rows][:, None]
    curvature = diagonal[:, None] + diagonal[None, :] - 2 * precision
    gain = np.triu(-step * (scores[:, None] - scores[None, :]) - step**2 * curvature / 2, 1)
    least = _LEAST_GAIN if len(target) <= _MANY else _LEAST_GAIN_OF_MANY
    best = np.argsort(-gain, axis=None, kind="stable")[:_TRIED_PAIRS]
    pairs = [np.unravel_index(i, gain.shape) for i in best if gain.flat[i] > least]
    return [(int(rows[i]), int(rows[j])) for i, j in pairs]


def _explains(
    target: Vector,
    changed: Vector,
    pair: tuple[int, int],
    judged: NDArray[np.bool_],
    fitted: Prediction,
) -> bool:
    """Return whether both rows are usual after the exchange and stood out before it."""
    rows = list(pair)
    others = judged.copy()
    others[rows] = False
    after = np.abs(fitted.residuals / fitted.deviations)
    before = np.abs((target - changed + fitted.residuals) / fitted.deviations)[rows]
    least = max(_SURE_SWAP, _OUTSTANDING * float(after[others].max(initial=0.0)))
    is_clear = bool((after[rows] < _USUAL).all() and (before > least).all())
    chance = float(np.prod(2 * fitted.tail(before))) * len(target) ** 2 / 2
    return is_clear and chance < _CHANCE
