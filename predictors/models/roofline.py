"""Non-negative costs per unit of work, alone or corrected by boosted trees."""

import numpy as np
import xgboost as xgb
from scipy.optimize import nnls

from predictors.models.base import LatencyModel, Matrix, Vector


class Roofline(LatencyModel):
    """Latency as a fixed cost plus a non-negative price for each unit of every feature.

    An additive roofline: milliseconds per gigaflop, per megabyte, per layer. Non-negative least
    squares on relative errors (Lawson & Hanson 1974, ch. 23), so a feature that only adds noise
    gets the price 0 and a few dozen rows suffice.
    """

    def _fit(self, X: Matrix, y: Vector) -> None:
        work = _with_fixed_cost(X) / y[:, None]
        unit = np.abs(work).max(axis=0)
        unit[unit == 0] = 1.0
        self.price_, _ = nnls(work / unit, np.ones(len(y)), maxiter=100 * work.shape[1])
        self.price_ /= unit

    def _predict(self, X: Matrix) -> Vector:
        return np.asarray(_with_fixed_cost(X) @ self.price_)


class FlopsLine(Roofline):
    """A line on the total of some columns, as if FLOPs were latency.

    Args:
        columns: The matrix columns to add up.
    """

    def __init__(self, columns: tuple[int, ...] = (0,)) -> None:
        self.columns = columns

    def _fit(self, X: Matrix, y: Vector) -> None:
        super()._fit(self._total(X), y)

    def _predict(self, X: Matrix) -> Vector:
        return super()._predict(self._total(X))

    def _total(self, X: Matrix) -> Matrix:
        return np.asarray(X[:, list(self.columns)].sum(axis=1, keepdims=True))


class RooflineBoost(Roofline):
    """A roofline whose log residual is learnt by a few shallow boosted trees (XGBoost).

    Args:
        n_rounds: How many trees; few, because the roofline has explained most already.
        seed: Of the row and column sampling.
    """

    def __init__(self, n_rounds: int = 60, seed: int = 0) -> None:
        self.n_rounds = n_rounds
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        super()._fit(X, y)
        prior = self._prior(X)
        table = xgb.DMatrix(np.column_stack([X, prior]), label=np.log(y / prior), nthread=1)
        booster = xgb.train(self._settings(), table, num_boost_round=self.n_rounds)
        self.booster_json_ = booster.save_raw(raw_format="json").decode()

    def _predict(self, X: Matrix) -> Vector:
        prior = self._prior(X)
        booster = xgb.Booster({"nthread": 1})
        booster.load_model(bytearray(self.booster_json_.encode()))
        table = xgb.DMatrix(np.column_stack([X, prior]), nthread=1)
        return np.asarray(prior * np.exp(booster.predict(table).astype(np.float64)))

    def _prior(self, X: Matrix) -> Vector:
        return np.maximum(super()._predict(X), self.floor_ms_)

    def _settings(self) -> dict[str, float]:
        return {
            "base_score": 0.0,
            "colsample_bytree": 0.8,
            "eta": 0.1,
            "lambda": 10.0,
            "max_depth": 3,
            "min_child_weight": 2,
            "nthread": 1,
            "seed": self.seed,
            "subsample": 0.8,
        }


def _with_fixed_cost(X: Matrix) -> Matrix:
    return np.column_stack([np.ones(len(X)), X])
