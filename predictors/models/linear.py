"""This module holds models that are linear in the features or in their logarithms."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictors.models.base import LatencyModel, Matrix, Vector, signed_log

ALPHAS = np.logspace(-4, 3, 15)

Line = dict[str, Any]


def fit_line(
    X: Matrix, y: Vector, alphas: NDArray[np.float64], weight: Vector | None = None
) -> Line:
    """Return a ridge regression on standardised columns. Leave-one-out chooses its strength.

    Args:
        X: The columns, shape (rows, columns).
        y: The target, shape (rows,).
        alphas: The strengths to choose from.
        weight: The weight of each row, shape (rows,); None for equal weights.

    Returns:
        The arrays `mean`, `scale` and `slope`, each of shape (columns,), and the number `start`.
    """
    from sklearn.linear_model import RidgeCV  # takes a second to import

    mean, scale = standardisation(X)
    ridge = RidgeCV(alphas).fit((X - mean) / scale, y, sample_weight=weight)
    slope = np.asarray(ridge.coef_, dtype=np.float64)
    return {"mean": mean, "scale": scale, "slope": slope, "start": float(ridge.intercept_)}


def on_line(line: Line, X: Matrix) -> Vector:
    """Return what a ridge regression of `fit_line` predicts, shape (rows,)."""
    return np.asarray((X - line["mean"]) / line["scale"] @ line["slope"] + line["start"])


def standardisation(X: Matrix) -> tuple[Vector, Vector]:
    """Return the mean and the standard deviation of each column; 1 for a constant column."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    is_constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(is_constant, 1.0, scale)


def without_pipeline(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a model of 0.1.0 with `line_` for its pipeline of scikit-learn."""
    known = dict(state)
    if "pipeline_" in known:
        pipeline = known.pop("pipeline_")
        scaler, ridge = pipeline[0], pipeline[-1]
        known["line_"] = {
            "mean": scaler.mean_,
            "scale": scaler.scale_,
            "slope": ridge.coef_,
            "start": float(ridge.intercept_),
        }
    return known


class Ridge(LatencyModel):
    """Ridge regression on standardised features.

    Leave-one-out chooses its strength. Each row has the weight 1/y^2, so that relative errors are
    minimised.
    """

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set the attributes of a fitted model, also of one of 0.1.0."""
        return super().restore(without_pipeline(state))

    def _fit(self, X: Matrix, y: Vector) -> None:
        self.line_ = fit_line(X, y, ALPHAS, weight=(y.min() / y) ** 2)

    def _predict(self, X: Matrix) -> Vector:
        return on_line(self.line_, X)


class LogRidge(LatencyModel):
    """A power law: ridge regression of log latency on standardised log features."""

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set the attributes of a fitted model, also of one of 0.1.0."""
        return super().restore(without_pipeline(state))

    def _fit(self, X: Matrix, y: Vector) -> None:
        logs = np.log(y)
        # Predictions lie no further outside than the whole span of the log. Without that, exp()
        # would make them astronomical.
        margin = np.ptp(logs) + 1.0
        self.log_range_ = (float(logs.min() - margin), float(logs.max() + margin))
        self.line_ = fit_line(signed_log(X), logs, ALPHAS)

    def _predict(self, X: Matrix) -> Vector:
        return np.exp(np.clip(on_line(self.line_, signed_log(X)), *self.log_range_))
