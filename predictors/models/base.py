"""What every latency model shares: positive targets, positive predictions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# No model may predict less than this part of the shortest latency it has seen: a line fitted to
# long rows crosses zero, and a latency of zero makes every relative error meaningless.
_FLOOR_SHARE = 0.1


class LatencyModel(RegressorMixin, BaseEstimator, ABC):  # type: ignore[misc]  # sklearn is untyped
    """A scikit-learn regressor of a latency in milliseconds.

    Subclasses write `_fit` and `_predict`; checks and the floor are done here. Every fitted
    attribute is a number, a text, an array or an estimator of scikit-learn, so that
    `vars(model)` can be stored without naming a class of ours.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the model, forgetting any previous fit.

        Args:
            X: Features, shape (rows, features).
            y: Latency in milliseconds, shape (rows,), above 0.

        Raises:
            ValueError: When a latency is not above 0, or an array is not finite.
        """
        rows, latency = validate_data(
            self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2
        )
        self._check_and_fit(np.asarray(rows), np.asarray(latency, dtype=np.float64))
        return self

    def predict(self, X: ArrayLike) -> Vector:
        """The latency of each row in milliseconds, shape (rows,), always above 0."""
        check_is_fitted(self)
        rows: Matrix = validate_data(self, X, dtype=np.float64, reset=False)
        return np.maximum(self._predict(rows), self.floor_ms_)

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Take on parameters and fitted attributes, as `vars` of a fitted model gives them."""
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
    """log(1 + |x|) with the sign of x: a power law's abscissa that allows 0 and -1."""
    logs: Matrix = np.sign(X) * np.log1p(np.abs(X))
    return logs
