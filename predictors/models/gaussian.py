"""This module holds a Gaussian process that is fitted in milliseconds."""

from typing import Any

import numpy as np

from predictors.models.base import Matrix, Vector
from predictors.models.linear import standardisation
from profilers.audit.gaussian_process import matern, squared_distances

_LENGTHS = (1.0, 3.0, 10.0)  # length scales of standardised features
_AMPLITUDES = (1e-2, 1e-1)  # explained variance of the log residual
_NOISES = (1e-6, 1e-4, 1e-2)  # unexplained variance of the log residual

Process = dict[str, Any]


def fit_process(X: Matrix, y: Vector) -> Process:
    """Return a Gaussian process with mean 0.

    The kernel is Matern 5/2 (one length for all columns) + white noise on standardised columns
    (Rasmussen & Williams 2006, ch. 4). A few lengths, amplitudes and noises are tried, and those
    with the largest marginal likelihood are taken. The eigenvalues of a kernel serve all
    amplitudes and noises. The time grows with the cube of the number of rows.

    Args:
        X: The columns, shape (rows, columns).
        y: The target, shape (rows,).

    Returns:
        The standardisation (`mean`, `scale`), the standardised rows (`rows`), their weights
        (`weight`), the `length` and the `amplitude`.
    """
    mean, scale = standardisation(X)
    rows = (X - mean) / scale
    squared = squared_distances(rows, rows)
    best = (-np.inf, 0.0, 0.0, np.empty(0))
    for length in _LENGTHS:
        values, vectors = np.linalg.eigh(matern(squared / length**2))
        values, turned = np.maximum(values, 0.0), vectors.T @ y
        for amplitude in _AMPLITUDES:
            for noise in _NOISES:
                variance = amplitude * values + noise
                likelihood = -float(np.sum(turned**2 / variance) + np.log(variance).sum()) / 2
                if likelihood > best[0]:
                    best = (likelihood, length, amplitude, vectors @ (turned / variance))
    _, length, amplitude, weight = best
    return {
        **{"mean": mean, "scale": scale, "rows": rows, "weight": weight},
        **{"length": length, "amplitude": amplitude},
    }


def process_mean(process: Process, X: Matrix) -> Vector:
    """Return what a Gaussian process predicts for new rows, shape (rows,)."""
    rows = (X - process["mean"]) / process["scale"]
    squared = squared_distances(rows, process["rows"])
    kernel = process["amplitude"] * matern(squared / process["length"] ** 2)
    return np.asarray(kernel @ process["weight"])


def process_of(pipeline: Any) -> Process:
    """Return the Gaussian process in a pipeline of scikit-learn, as 0.1.0 stored it."""
    scaler, regressor = pipeline[0], pipeline[-1]
    smooth = regressor.kernel_.k1
    return {
        **{"mean": scaler.mean_, "scale": scaler.scale_, "rows": regressor.X_train_},
        **{"weight": regressor.alpha_, "length": float(smooth.k2.length_scale)},
        "amplitude": float(smooth.k1.constant_value),
    }
