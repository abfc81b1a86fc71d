"""This module holds what all competing models share: positive targets and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# No model may predict less than this share of the shortest latency that it was fitted to. A line
# fitted to slow rows crosses zero, and a latency of zero makes every relative error meaningless.
_FLOOR_SHARE = 0.1


class LatencyModel(RegressorMixin, BaseEstimator, ABC):  # type: ignore[misc]  # sklearn is untyped
    """A scikit-learn regressor of a latency in milliseconds.

    Subclasses write `_fit` and `_predict`. This class does the checks and the floor. Every fitted
    attribute is a number, a text, an array or an estimator of scikit-learn, so that `vars(model)`
    can be stored without the names of AutoMoE's classes.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the model and forget any previous fit.

        Args:
            X: The features, shape (rows, features).
            y: The latency in milliseconds, above 0, shape (rows,).

        Raises:
            ValueError: A latency is not above 0, or an array is not finite.
        """
        rows, latency = validate_data(
            self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2
        )
        self._check_and_fit(np.asarray(rows), np.asarray(latency, dtype=np.float64))
        return self

    def predict(self, X: ArrayLike) -> Vector:
        """Return the latency of each row in milliseconds, always above 0, shape (rows,)."""
        check_is_fitted(self)
        rows: Matrix = validate_data(self, X, dtype=np.float64, reset=False)
        return np.maximum(self._predict(rows), self.floor_ms_)

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set parameters and fitted attributes to those that `vars` of a fitted model gave."""
        for name, value in state.items():
            setattr(self, name, value)
        return self

    def _check_and_fit(self, X: Matrix, y: Vector) -> None:
        if not np.all(y > 0):
            raise ValueError(f"'y' must be milliseconds above 0. Got {y.min()}.")
        self.floor_ms_ = _FLOOR_SHARE * float(y.min())
        self._fit(X, y)

    @abstractmethod
    def _fit(self, X: Matrix, y: Vector) -> None: ...

    @abstractmethod
    def _predict(self, X: Matrix) -> Vector: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True  # relative error is minimised, not squared error
        return tags


def signed_log(X: Matrix) -> Matrix:
    """Return log(1 + |x|) with the sign of x, so that a power law can take 0 and -1."""
    logs: Matrix = np.sign(X) * np.log1p(np.abs(X))
    return logs
