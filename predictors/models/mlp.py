"""This module reads a model that competed in 0.1.0."""

from typing import Any

import numpy as np

from predictors.models.base import LatencyModel, Matrix, Vector, signed_log


class HatMlp(LatencyModel):
    """A small network like HAT's latency predictor (Wang et al. 2020, arXiv 2005.14187).

    It competes no more, because it won on none of the logs that we have. A
    predictor of 0.1.0 may hold it as a pipeline of scikit-learn, and can still be used.
    """

    pipeline_: Any
    log_range_: tuple[float, float]

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        raise ValueError("'hat_mlp' is no longer fitted. Fit the log again: other models compete.")

    def _predict(self, X: Matrix) -> Vector:
        logs = np.asarray(self.pipeline_.predict(signed_log(X)), dtype=np.float64)
        return np.exp(np.clip(logs, *self.log_range_))
