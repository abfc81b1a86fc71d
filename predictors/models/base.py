"""This module holds what all competing models share: positive targets and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from inspect import signature
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# No model may predict less than this share of the shortest latency that it was fitted to. A line
# fitted to slow rows crosses zero, and a latency of zero makes every relative error meaningless.
_FLOOR_SHARE = 0.1


class LatencyModel(ABC):
    """A regressor of a latency in milliseconds, with the methods of those of scikit-learn.

    Subclasses write `_fit` and `_predict`. This class does the checks and the floor. Every fitted
    attribute is a number, a text, an array, or a dictionary of these, so that `vars(model)` can
    be stored without the name of any class. Nothing but a fit imports scikit-learn, because that
    takes longer than a prediction.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the model and forget any previous fit.

        Args:
            X: The features, shape (rows, features).
            y: The latency in milliseconds, above 0, shape (rows,).

        Raises:
            ValueError: A latency is not above 0, an array is not finite, or the shapes differ.
        """
        rows, latency = _finite(X, n_axes=2), _finite(y, n_axes=1)
        if len(rows) != len(latency) or len(latency) < 2:
            raise ValueError(
                f"'X' and 'y' must have equally many rows, at least 2. Got {len(rows)} and "
                f"{len(latency)}."
            )
        if not np.all(latency > 0):
            raise ValueError(f"'y' must be milliseconds above 0. Got {latency.min()}.")
        self.n_features_in_ = rows.shape[1]
        self.floor_ms_ = _FLOOR_SHARE * float(latency.min())
        self._fit(rows, latency)
        return self

    def predict(self, X: ArrayLike) -> Vector:
        """Return the latency of each row in milliseconds, always above 0, shape (rows,).

        Raises:
            ValueError: The columns are not those of the fit, or a value is not finite.
        """
        rows = _finite(X, n_axes=2)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"'X' must have {self.n_features_in_} columns, as in the fit. Got {rows.shape[1]}."
            )
        return np.maximum(self._predict(rows), self.floor_ms_)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, as `sklearn.base.clone` asks for them."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set parameters and fitted attributes to those that `vars` of a fitted model gave."""
        for name, value in state.items():
            setattr(self, name, value)
        return self

    @abstractmethod
    def _fit(self, X: Matrix, y: Vector) -> None: ...

    @abstractmethod
    def _predict(self, X: Matrix) -> Vector: ...


def _finite(values: ArrayLike, *, n_axes: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != n_axes or not np.isfinite(array).all():
        raise ValueError(f"An array must be finite, with {n_axes} axes. Got shape {array.shape}.")
    return array


def signed_log(X: Matrix) -> Matrix:
    """Return log(1 + |x|) with the sign of x, so that a power law can take 0 and -1."""
    logs: Matrix = np.sign(X) * np.log1p(np.abs(X))
    return logs
