"""This module holds models that are linear in the features or in their logarithms."""

from abc import abstractmethod

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from predictors.models.base import LatencyModel, Matrix, Vector, signed_log

_ALPHAS = np.logspace(-4, 3, 15)


class Ridge(LatencyModel):
    """Ridge regression on standardised features.

    Leave-one-out chooses its strength. Each row has the weight 1/y^2, so that relative errors are
    minimised.
    """

    def _fit(self, X: Matrix, y: Vector) -> None:
        self.pipeline_ = make_pipeline(StandardScaler(), RidgeCV(_ALPHAS))
        self.pipeline_.fit(X, y, ridgecv__sample_weight=(y.min() / y) ** 2)

    def _predict(self, X: Matrix) -> Vector:
        return np.asarray(self.pipeline_.predict(X))


class LogModel(LatencyModel):
    """A regressor of log latency on log features. Subclasses write `_pipeline`."""

    @abstractmethod
    def _pipeline(self, n_rows: int) -> Pipeline: ...

    def _fit(self, X: Matrix, y: Vector) -> None:
        logs = np.log(y)
        # Predictions lie no further outside than the whole span of the log. Without that, exp()
        # would make them astronomical.
        margin = np.ptp(logs) + 1.0
        self.log_range_ = (float(logs.min() - margin), float(logs.max() + margin))
        self.pipeline_ = self._pipeline(len(y)).fit(signed_log(X), logs)

    def _predict(self, X: Matrix) -> Vector:
        logs = np.asarray(self.pipeline_.predict(signed_log(X)), dtype=np.float64)
        return np.exp(np.clip(logs, *self.log_range_))


class LogRidge(LogModel):
    """A power law: ridge regression of log latency on standardised log features."""

    def _pipeline(self, n_rows: int) -> Pipeline:
        return make_pipeline(StandardScaler(), RidgeCV(_ALPHAS))
