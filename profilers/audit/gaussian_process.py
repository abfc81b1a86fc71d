"""This module predicts log(latency) from features by a Gaussian process, and says how surely.

A Gaussian process gives every row a prediction from all other rows, and the standard deviation of
this prediction, in closed form (Rasmussen and Williams, 2006, chapter 5). The standard deviation
grows with the distance to other rows. So a row whose features resemble no others is not judged by
rows that say nothing about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_ROWS_TUNED = 200  # rows on which the parameters are chosen
_MOST_ROWS = 800  # rows that are all used for the predictions
_SAMPLE = 500  # rows that are used in a longer table
_MOST_NONLINEAR = 40  # columns whose effect may bend
_CHUNK = 256  # rows whose covariances fit into a cache
_MOST_OTHERS = 4000  # beyond the sample, whose deviations are all computed
_FAR = 4.0  # deviations
_STEPS = 60
_LEAST_NOISE = 1e-3  # of the spread of the target
_CONSTANT = 100.0  # the variance of the level, in squared spreads of the target
_LEAST_FREEDOM = 0.25  # of the rows; they tell the scale even where they follow every bend

Vector = NDArray[np.float64]
# Centres and widths of the normal priors of the logarithms of the standard deviations of: slopes,
# steps, bend, points, noise, drift. They are in spreads of the target. A weight of a column in the
# distance and the standard deviation of a walk along a column have the priors below.
_PRIOR = np.log([0.5, 0.5, 0.5, 0.01, 0.1, 0.01])
_PRIOR_WIDTH = np.array([1.5, 1.5, 1.0, 2.0, 2.0, 2.0])
_N_SCALES = len(_PRIOR)
_NOISE = 4
_WEIGHT, _WEIGHT_WIDTH = 0.3, 1.5
_WALK, _WALK_WIDTH = np.log(0.05), 2.0
_LEAST_WALK = np.log(1e-3)  # a smaller one is left out of the predictions


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The prediction of every row from the rows used, itself left out.

    Attributes:
        residuals: The target less its prediction, shape (rows,).
        deviations: The standard deviation of each residual, shape (rows,).
        precision: The inverse of the covariance of all targets, shape (rows, rows). None when some
            rows were not used for the predictions.
        scores: The precision times the targets, shape (rows,). None in the same case.
        freedom: The number of rows that the features leave free.
    """

    residuals: Vector
    deviations: Vector
    precision: Vector | None = None
    scores: Vector | None = None
    freedom: float = np.inf

    def tail(self, deviations: Vector | float) -> Vector:
        """Return the share of noise that is above so many deviations (Student's distribution)."""
        # Imported here because it takes a moment, and most uses of this package need no check.
        from scipy.special import stdtr

        least = _LEAST_FREEDOM * len(self.residuals)
        return np.asarray(stdtr(max(least, min(self.freedom, 1e6)), -np.asarray(deviations)))


class GaussianProcess:
    """A Gaussian process over columns of numbers and of words.

    Its covariance is the sum of a slope of each number, a step of each word, a walk along each
    number (Brownian motion, which follows stairs and cliffs), a smooth bend over all columns
    (Matern 5/2 with one weight for each column), and what rows of one point have in common, where
    points are repeated. All parameters maximise the
    posterior probability of the rows on which they are chosen. There, and only there, the level may
    also wander from row to row (Brownian motion), so that a drift is not taken for noise.
    """

    def __init__(self, columns: Sequence[Vector]) -> None:
        """Prepare the columns.

        Args:
            columns: One array per column: shape (rows,) for numbers on the scale of `scaled`,
                (rows, words) with 0 and 1 for words.
        """
        self._numbers = [x for x in columns if x.ndim == 1]
        self._words = [x / np.sqrt(2) for x in columns if x.ndim == 2]
        self._slopes = _stacked(self._numbers, len(columns[0]))
        self._steps = _stacked(self._words, len(columns[0]))
        self._places = _places(self._slopes)
        every = np.column_stack((self._slopes, self._steps)).round(9)
        _, point = np.unique(every, axis=0, return_inverse=True)
        self._point = point.reshape(-1, 1).astype(float)
        self._has_repeats = bool(point.max() + 1 < len(point))

    def predict(self, target: Vector, kept: NDArray[np.bool_]) -> Prediction:
        """Return the prediction of every row from the rows that are kept.

        In a long table, the rows are predicted from a sample, and the deviations of rows close to
        their predictions are the median of the others.

        Args:
            target: The target of each row.
            kept: Which rows the others are predicted from, at least three.
        """
        rows = np.flatnonzero(kept)
        rng = np.random.default_rng(0)
        used = _some(rows, _SAMPLE, rng) if len(rows) > _MOST_ROWS else rows
        centre = float(np.median(target[used]))
        spread = float(np.std(target[used])) or 1.0
        own = (target - centre) / spread
        parameters, groups = self._tuned(own, _some(rows, _MOST_ROWS_TUNED, rng))
        points = self._points(parameters, groups)
        noise = float(np.exp(2 * parameters[_NOISE]))
        covariance = _covariance(points, used, used, parameters)
        covariance[np.diag_indices(len(used))] += noise
        precision = np.linalg.inv(covariance)
        precision = (precision + precision.T) / 2
        scores = precision @ own[used]
        diagonal = np.diag(precision)
        residuals, deviations = np.empty(len(target)), np.empty(len(target))
        residuals[used] = scores / diagonal
        deviations[used] = 1 / np.sqrt(diagonal)
        usual = float(np.median(deviations[used]))
        others = np.setdiff1d(np.arange(len(target)), used)
        for start in range(0, len(others), _CHUNK):
            some = others[start : start + _CHUNK]
            cross = _covariance(points, some, used, parameters)
            residuals[some] = own[some] - cross @ scores
            deviations[some] = usual
            doubtful = len(others) <= _MOST_OTHERS or np.abs(residuals[some]) > _FAR * usual
            near = np.flatnonzero(np.broadcast_to(doubtful, some.shape))
            total = _own_variance(points, some[near], parameters) + noise
            explained = np.einsum("ij,ij->i", cross[near] @ precision, cross[near])
            deviations[some[near]] = np.sqrt(np.maximum(total - explained, noise))
        residuals, deviations = residuals * spread, deviations * spread
        freedom = noise * float(diagonal.sum())
        if len(others):
            return Prediction(residuals, deviations, freedom=freedom)
        return Prediction(residuals, deviations, precision / spread**2, scores / spread, freedom)

    def _tuned(self, target: Vector, rows: NDArray[np.intp]) -> tuple[Vector, list[Vector]]:
        """Return the most probable parameters, and the columns that the bend depends on."""
        # Imported here because it takes a second, and most uses of this package need no check.
        from scipy.optimize import minimize

        own = target[rows]
        groups = [*[x[:, None] for x in self._numbers], *self._words]
        if len(groups) > _MOST_NONLINEAR:
            strength = [float(np.abs(own @ (x[rows] - x[rows].mean(0))).max()) for x in groups]
            groups = [groups[i] for i in np.argsort(strength)[-_MOST_NONLINEAR:]]
        distances = np.array([squared_distances(x[rows], x[rows]) for x in groups])
        parts = (
            self._slopes[rows] @ self._slopes[rows].T,
            self._steps[rows] @ self._steps[rows].T,
            (self._point[rows] == self._point[rows].T) * float(self._has_repeats),
            np.minimum.outer(rows, rows) / len(target),
            distances.reshape(len(groups), -1),
            np.array([np.minimum.outer(x, x) for x in self._places[rows].T]).reshape(
                -1, own.size**2
            ),
        )
        weight, n_walks = np.log(_WEIGHT / len(groups)), len(self._numbers)
        centre = np.repeat(weight, len(groups))
        centre = np.concatenate((_PRIOR, centre, np.full(n_walks, _WALK)))
        width = np.repeat(_WEIGHT_WIDTH, len(groups))
        width = np.concatenate((_PRIOR_WIDTH, width, np.full(n_walks, _WALK_WIDTH)))
        bounds = [(-9.0, 4.0)] * _N_SCALES + [(-12.0, 5.0)] * len(groups) + [(-9.0, 4.0)] * n_walks
        bounds[_NOISE] = (np.log(_LEAST_NOISE), 2.0)
        result: Any = minimize(  # type: ignore[call-overload]
            lambda x: _loss(x, own, parts, centre, width),
            centre,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _STEPS},
        )
        return np.asarray(result.x), groups

    def _points(self, parameters: Vector, groups: Sequence[Vector]) -> tuple[Vector, ...]:
        last = _N_SCALES + len(groups)
        weights = np.exp(parameters[_N_SCALES:last] / 2)
        walks = parameters[last:]
        walked = (self._places * np.exp(2 * walks))[:, walks > _LEAST_WALK]
        bent = np.column_stack([x * w for x, w in zip(groups, weights, strict=True)])
        point = self._point if self._has_repeats else np.full_like(self._point, np.nan)
        return self._slopes, self._steps, bent, point, walked


def _loss(
    x: Vector, target: Vector, parts: tuple[Vector, ...], centre: Vector, width: Vector
) -> tuple[float, Vector]:
    """Return the negative logarithm of the posterior of the parameters, and its gradient."""
    slopes, steps, same, wandering, distances, places = parts
    last = _N_SCALES + len(distances)
    n = len(target)
    slope, step, bend, point, noise, drift = np.exp(2 * x[:_N_SCALES])
    weights, walks = np.exp(x[_N_SCALES:last]), np.exp(2 * x[last:])
    root = np.sqrt(5 * np.maximum(weights @ distances, 0.0)).reshape(n, n)
    decay = np.exp(-root)
    shape = (1 + root + root**2 / 3) * decay
    covariance = _CONSTANT + slope * slopes + step * steps + bend * shape
    covariance += point * same + drift * wandering + (walks @ places).reshape(n, n)
    covariance[np.diag_indices(n)] += noise
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(x)
    inverse = np.linalg.inv(factor)
    precision = inverse.T @ inverse
    scores = precision @ target
    off = (x - centre) / width
    loss = 0.5 * target @ scores + np.log(np.diag(factor)).sum() + 0.5 * off @ off
    slack = np.outer(scores, scores) - precision
    by_weight = distances @ (slack * (1 + root) * decay).ravel() * weights * (-5 / 6 * bend / 2)
    gradient = np.concatenate(
        (
            [slope * np.vdot(slack, slopes), step * np.vdot(slack, steps)],
            [bend * np.vdot(slack, shape), point * np.vdot(slack, same)],
            [noise * np.trace(slack), drift * np.vdot(slack, wandering)],
            by_weight,
            walks * (places @ slack.ravel()),
        )
    )
    return float(loss), -gradient + off / width


def _covariance(
    points: tuple[Vector, ...],
    rows: NDArray[np.intp],
    others: NDArray[np.intp],
    parameters: Vector,
) -> Vector:
    slopes, steps, bent, point, walked = points
    slope, step, bend, repeated = np.exp(2 * parameters[:4])
    covariance: Vector = bend * matern(squared_distances(bent[rows], bent[others]))
    covariance += slope * (slopes[rows] @ slopes[others].T) + _CONSTANT
    covariance += step * (steps[rows] @ steps[others].T)
    for place in walked.T:
        covariance += np.minimum.outer(place[rows], place[others])
    if np.isfinite(point[0, 0]):
        covariance += repeated * (point[rows] == point[others].T)
    return covariance


def _own_variance(points: tuple[Vector, ...], rows: NDArray[np.intp], parameters: Vector) -> Vector:
    slopes, steps, _, point, walked = points
    slope, step, bend, repeated = np.exp(2 * parameters[:4])
    own = slope * (slopes[rows] ** 2).sum(1) + step * (steps[rows] ** 2).sum(1)
    own += repeated * np.isfinite(point[rows, 0]) + walked[rows].sum(1)
    return np.asarray(own + bend + _CONSTANT)


def squared_distances(left: Vector, right: Vector) -> Vector:
    """Return the squared distance of each row on the left to each on the right."""
    squared: Vector = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * left @ right.T
    squared.clip(min=0.0, out=squared)
    return squared


def matern(squared: Vector) -> Vector:
    """Return the kernel Matern 5/2 at squared distances in units of its length.

    The distances are overwritten, because those of a long table fill a cache.
    """
    squared *= 5
    root = np.sqrt(squared, out=squared)
    kernel = root / 3
    kernel += 1
    kernel *= root
    kernel += 1
    np.negative(root, out=root)
    kernel *= np.exp(root, out=root)
    return kernel


def scaled(values: Vector) -> Vector:
    """Return a column of numbers on a logarithmic scale, with mean 0 and standard deviation 1."""
    size = np.abs(values)
    least = float(size[size > 0].min(initial=np.inf))
    if (values > 0).all():
        values = np.log(values)
    elif np.isfinite(least):
        values = np.sign(values) * np.log1p(size / least)
    centred = values - values.mean()
    spread = float(centred.std())
    # A column that is constant except for rounding says nothing.
    is_constant = spread <= 1e-9 * float(np.abs(values).max())
    return np.zeros_like(values) if is_constant else centred / spread


def _places(columns: Vector) -> Vector:
    """Return each column on a scale from 0, its smallest value, to 1, its largest one."""
    if not columns.size:
        return columns
    least = columns.min(0)
    width = columns.max(0) - least
    return np.asarray((columns - least) / np.where(width > 0, width, 1.0))


def _some(rows: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _stacked(columns: Sequence[Vector], n: int) -> Vector:
    return np.column_stack([np.zeros((n, 0)), *columns])
