"""This module holds rooflines: non-negative prices of work, alone or with a correction."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from predictors.models.base import LatencyModel, Matrix, Vector, signed_log
from predictors.models.gaussian import fit_process, process_mean, process_of
from predictors.models.linear import fit_line, on_line, without_pipeline
from predictors.models.trees import trees_of

_ROUNDS = 8
_SMALL_ERROR = 0.02
_LEAST_WORK = 1e-290  # the price of less work would overflow
_PRIOR_ROWS = 4  # the known ratio of two prices counts as much as so many rows
_EVEN = np.sqrt(0.5)  # the share of each of two equal times that overlap
_RESIDUAL_ALPHAS = np.logspace(0, 2, 9)


class Roofline(LatencyModel):
    """A fixed time plus a non-negative price for each unit of work.

    This roofline is a sum: milliseconds per gigaflop, per megabyte, per layer. It is fitted by
    non-negative least squares (Lawson & Hanson 1974, ch. 23). So work that explains nothing gets
    the price 0, and a few dozen rows are enough. The rows get new weights in each iteration
    (Holland & Welsch 1977), until the sum of absolute relative errors is minimal, instead of
    squared ones. A disturbed row then counts little.

    Computing and reading may overlap. Their times a and b then count as sqrt(a^2 + b^2), which
    lies between the longer one and the sum. Moving a megabyte costs about as much as reading one,
    which few rows may not tell: prices of moving are pulled towards the price of reading.

    Args:
        columns: The matrix columns that are work; None takes all.
        overlap: Of these columns, that of computing, that of reading at the same time, and those
            of moving in the unit of reading; empty when nothing overlaps.
    """

    overlap: tuple[int, ...] = ()  # files of 0.1.0 do not hold it

    def __init__(self, columns: Sequence[int] | None = None, overlap: tuple[int, ...] = ()) -> None:
        self.columns = columns
        self.overlap = overlap

    def _fit(self, X: Matrix, y: Vector) -> None:
        self.price_ = _prices(self._work(X), y, overlap=self._places())

    def _predict(self, X: Matrix) -> Vector:
        work = self._work(X)
        return np.asarray((work * _shares(work, self.price_, self._places())) @ self.price_)

    def _places(self) -> list[int]:
        """Return the places of the columns of `overlap` in `_work`."""
        known = (
            self.overlap if self.columns is None else map(list(self.columns).index, self.overlap)
        )
        return [1 + column for column in known]

    def _work(self, X: Matrix) -> Matrix:
        chosen = X if self.columns is None else X[:, list(self.columns)]
        return np.column_stack([np.ones(len(X)), chosen])

    def _prior(self, X: Matrix) -> Vector:
        return np.maximum(Roofline._predict(self, X), self.floor_ms_)


class FlopsLine(Roofline):
    """A line on the total FLOPs, as if they alone made the latency.

    Args:
        columns: The matrix columns to add up.
    """

    def __init__(self, columns: Sequence[int] = (0,)) -> None:
        self.columns = columns

    def _work(self, X: Matrix) -> Matrix:
        return np.column_stack([np.ones(len(X)), X[:, list(self.columns or ())].sum(axis=1)])


class RooflineRidge(Roofline):
    """A roofline times a power law of all features, which says how fast the work is done.

    The prices and the ridge regression of the log residual are fitted in turn. So a feature that
    doubles the time of some rows does not raise the prices for all rows.

    Args:
        columns: The matrix columns that are work; None takes all. Nothing overlaps.
    """

    def __init__(self, columns: Sequence[int] | None = None) -> None:
        self.columns = columns

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set the attributes of a fitted model, also of one of 0.1.0."""
        return super().restore(without_pipeline(state))

    def _fit(self, X: Matrix, y: Vector) -> None:
        super()._fit(X, y)
        for _ in range(3):
            self._fit_factor(X, y)
            self.price_ = _prices(self._work(X), y / self._factor(X))
        self._fit_factor(X, y)

    def _fit_factor(self, X: Matrix, y: Vector) -> None:
        self.line_ = fit_line(signed_log(X), np.log(y / self._prior(X)), _RESIDUAL_ALPHAS)

    def _predict(self, X: Matrix) -> Vector:
        return self._prior(X) * self._factor(X)

    def _factor(self, X: Matrix) -> Vector:
        return np.asarray(np.exp(np.clip(on_line(self.line_, signed_log(X)), -1, 1)))


class RooflineGaussian(Roofline):
    """A Gaussian process with the roofline as its mean, on log latency and log features."""

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Set the attributes of a fitted model, also of one of 0.1.0."""
        known = dict(state)
        if "pipeline_" in known:
            known["process_"] = process_of(known.pop("pipeline_"))
        return super().restore(known)

    def _fit(self, X: Matrix, y: Vector) -> None:
        super()._fit(X, y)
        self.process_ = fit_process(signed_log(X), np.log(y / self._prior(X)))

    def _predict(self, X: Matrix) -> Vector:
        return np.asarray(self._prior(X) * np.exp(process_mean(self.process_, signed_log(X))))


class RooflineBoost(Roofline):
    """A roofline whose log residual is learnt by a few shallow boosted trees (XGBoost).

    Args:
        columns: The matrix columns that are work; None takes all. The trees see all columns.
        overlap: The columns of computing, reading and moving, see `Roofline`.
        n_rounds: The number of trees. It is small, because the roofline explains most.
        seed: The seed of the choice of rows and columns for each tree.
    """

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        overlap: tuple[int, ...] = (),
        n_rounds: int = 60,
        seed: int = 0,
    ) -> None:
        super().__init__(columns, overlap)
        self.n_rounds = n_rounds
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        super()._fit(X, y)
        import xgboost as xgb  # takes a second to import, with scikit-learn

        prior = self._prior(X)
        table = xgb.DMatrix(np.column_stack([X, prior]), label=np.log(y / prior), nthread=1)
        booster = xgb.train(self._settings(), table, num_boost_round=self.n_rounds)
        self.booster_json_ = booster.save_raw(raw_format="json").decode()

    def _predict(self, X: Matrix) -> Vector:
        prior = self._prior(X)
        residual = trees_of(self.booster_json_).total(np.column_stack([X, prior]))
        return np.asarray(prior * np.exp(residual))

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


def _prices(work: Matrix, y: Vector, *, overlap: Sequence[int] = ()) -> Vector:
    """Return the non-negative prices that minimise the sum of absolute relative errors.

    Args:
        work: The work of each row, shape (rows, columns).
        y: The latency in milliseconds, shape (rows,).
        overlap: The columns of computing, reading and moving; empty when nothing overlaps. In each
            round the first two count with their shares at the last prices (Gauss-Newton steps,
            averaged).
    """
    from scipy.optimize import nnls  # takes a moment to import

    relative = work / y[:, None]
    unit = np.abs(relative).max(axis=0)
    is_none = unit < _LEAST_WORK
    unit[is_none] = 1.0
    relative = np.where(is_none, 0.0, relative / unit)
    weight, share = np.ones(len(y)), np.ones_like(relative)
    share[:, overlap[:2]] = _EVEN
    prior = _prior_rows(relative, unit, overlap)
    for _ in range(_ROUNDS * (3 if overlap else 1)):
        rows = np.vstack([relative * share * weight[:, None], prior * np.median(weight)])
        wanted = np.append(weight, np.zeros(len(prior)))
        price, _ = nnls(rows, wanted, maxiter=100 * work.shape[1])
        now = _shares(relative, price, overlap)
        error = np.abs((relative * now) @ price - 1)
        weight = 1 / np.sqrt(np.maximum(error, _SMALL_ERROR))
        share = (share + now) / 2
    return np.asarray(price / unit)


def _prior_rows(relative: Matrix, unit: Vector, overlap: Sequence[int]) -> Matrix:
    """Return one row for each column of moving, which is 0 when its price is that of reading.

    Its square is that of `_PRIOR_ROWS` rows in which this column errs by the difference.

    Args:
        relative: The work over the latency, in units of `unit`, shape (rows, columns).
        unit: The unit of each column, shape (columns,).
        overlap: The columns of computing, reading and moving; empty when nothing overlaps.
    """
    reading, moving = list(overlap[1:2]), list(overlap[2:])
    typical = np.sqrt(_PRIOR_ROWS * np.mean(relative[:, moving] ** 2, axis=0))
    prior = np.zeros((len(moving), len(unit)))
    prior[np.arange(len(moving)), moving] = typical
    prior[:, reading] = -(typical * unit[moving])[:, None] / unit[reading]
    return prior


def _shares(work: Matrix, price: Vector, overlap: Sequence[int]) -> Matrix:
    """Return the share of each column's time that counts, shape (rows, columns).

    With the times a and b of computing and reading, a counts a / sqrt(a^2 + b^2), so that both
    together count sqrt(a^2 + b^2). All other columns count in full.
    """
    shares = np.ones_like(work)
    if both := list(overlap[:2]):
        times = work[:, both] * price[both]
        length = np.hypot(times[:, :1], times[:, 1:])
        shares[:, both] = np.divide(times, length, out=np.full_like(times, _EVEN), where=length > 0)
    return shares
