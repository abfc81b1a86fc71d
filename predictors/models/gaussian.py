"""This module holds a Gaussian process that is fitted in milliseconds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.models.base import Matrix, Vector
from predictors.models.linear import standardisation
from profilers.audit.gaussian_process import matern, squared_distances

_LENGTHS = (1.0, 3.0, 10.0)  # length scales of standardised features
_AMPLITUDES = (1e-2, 1e-1)  # explained variance of the log residual
_NOISES = (1e-6, 1e-4, 1e-2)  # unexplained variance of the log residual

_MOST_ROWS = 400  # the time grows with the cube of their number
_PART = 4096  # rows whose covariances are computed at a time, to save memory
_JITTER = 1e-9  # of the variance of all chosen rows; rows may be all but equal

Process = dict[str, Any]


def fit_process(X: Matrix, y: Vector) -> Process:
    """Return a Gaussian process with mean 0.

    The kernel is Matern 5/2 (one length for all columns) + white noise on standardised columns
    (Rasmussen & Williams 2006, ch. 4). A few lengths, amplitudes and noises are tried, and those
    with the largest marginal likelihood are taken. The eigenvalues of a kernel serve all
    amplitudes and noises.

    Of more than 400 rows, 400 that lie far apart choose these, and carry the weights. The weights
    are those by which the 400 predict all rows best (projected process, ch. 8.3.4).

    Args:
        X: The columns, shape (rows, columns).
        y: The target, shape (rows,).

    Returns:
        The standardisation (`mean`, `scale`), the standardised rows with a weight (`rows`), their
        weights (`weight`), the `length` and the `amplitude`.
    """
    mean, scale = standardisation(X)
    rows = (X - mean) / scale
    chosen = np.arange(len(rows)) if len(rows) <= _MOST_ROWS else _far_apart(rows)
    process, noise = _likeliest(rows[chosen], y[chosen])
    process |= {"mean": mean, "scale": scale, "rows": rows[chosen]}
    if len(chosen) < len(rows):
        process["weight"] = _projected(process, noise, rows, y)
    return process


def _likeliest(rows: Matrix, y: Vector) -> tuple[Process, float]:
    """Return `weight`, `length` and `amplitude` of the likeliest process, and its noise."""
    squared = squared_distances(rows, rows)
    best = (-np.inf, 0.0, 0.0, 0.0, np.empty(0))
    for length in _LENGTHS:
        values, vectors = np.linalg.eigh(matern(squared / length**2))
        values, turned = np.maximum(values, 0.0), vectors.T @ y
        for amplitude in _AMPLITUDES:
            for noise in _NOISES:
                variance = amplitude * values + noise
                likelihood = -float(np.sum(turned**2 / variance) + np.log(variance).sum()) / 2
                if likelihood > best[0]:
                    weight = vectors @ (turned / variance)
                    best = (likelihood, length, amplitude, noise, weight)
    _, length, amplitude, noise, weight = best
    return {"weight": weight, "length": length, "amplitude": amplitude}, noise


def _far_apart(rows: Matrix) -> NDArray[np.int64]:
    """Return the places of at most 400 rows: each is the farthest from those before it."""
    distance = np.sum(rows**2, axis=1)
    chosen = [int(distance.argmin())]
    distance[:] = np.inf
    while len(chosen) < _MOST_ROWS:
        distance = np.minimum(distance, np.sum((rows - rows[chosen[-1]]) ** 2, axis=1))
        farthest = int(distance.argmax())
        if distance[farthest] == 0:  # the others are copies of those chosen
            break
        chosen.append(farthest)
    return np.array(chosen)


def _projected(process: Process, noise: float, rows: Matrix, y: Vector) -> Vector:
    """Return the weights by which the rows of a process predict all rows best."""
    among = _kernel(process, process["rows"])
    system, right = noise * among, np.zeros(len(among))
    system[np.diag_indices_from(system)] += _JITTER * np.trace(among)
    for place in range(0, len(rows), _PART):
        kernel = _kernel(process, rows[place : place + _PART])
        system += kernel.T @ kernel
        right += kernel.T @ y[place : place + _PART]
    return np.asarray(np.linalg.solve(system, right))


def process_mean(process: Process, X: Matrix) -> Vector:
    """Return what a Gaussian process predicts for new rows, shape (rows,)."""
    rows = (X - process["mean"]) / process["scale"]
    parts = [rows[place : place + _PART] for place in range(0, len(rows), _PART)]
    return np.concatenate([np.empty(0), *(_kernel(process, x) @ process["weight"] for x in parts)])


def _kernel(process: Process, rows: Matrix) -> Matrix:
    """Return the covariances of standardised rows and those of a process, shape (rows, own)."""
    squared = squared_distances(rows, process["rows"])
    return np.asarray(process["amplitude"] * matern(squared / process["length"] ** 2))


def process_of(pipeline: Any) -> Process:
    """Return the Gaussian process in a pipeline of scikit-learn, as 0.1.0 stored it."""
    scaler, regressor = pipeline[0], pipeline[-1]
    smooth = regressor.kernel_.k1
    return {
        **{"mean": scaler.mean_, "scale": scaler.scale_, "rows": regressor.X_train_},
        **{"weight": regressor.alpha_, "length": float(smooth.k2.length_scale)},
        "amplitude": float(smooth.k1.constant_value),
    }
