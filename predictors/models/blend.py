"""This module blends the predictions of several models."""

from collections.abc import Sequence

import numpy as np

from predictors.models.base import LatencyModel, Matrix, Vector
from predictors.models.roofline import Roofline, RooflineBoost, RooflineGaussian, RooflineRidge


class RooflineBlend(LatencyModel):
    """The geometric mean of three rooflines, whose errors differ.

    They are the corrected ones. Where work overlaps, the roofline itself replaces the power law.

    Args:
        columns: The matrix columns that are work; None takes all.
        overlap: The columns of computing, reading and moving, see `Roofline`.
        seed: The seed of the boosted trees.
    """

    overlap: tuple[int, ...] = ()  # files of 0.1.0 do not hold it

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        overlap: tuple[int, ...] = (),
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.overlap = overlap
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        # Names and states are kept, so that a stored blend holds no names of AutoMoE's classes.
        self.parts_ = {name: dict(vars(part.fit(X, y))) for name, part in self._unfitted().items()}

    def _predict(self, X: Matrix) -> Vector:
        parts = self._unfitted()
        return blended(
            [parts[name].restore(state).predict(X) for name, state in self.parts_.items()]
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names under which the three models compete."""
        return tuple(self._unfitted())

    def _unfitted(self) -> dict[str, LatencyModel]:
        first: dict[str, LatencyModel] = (
            {"roofline": Roofline(self.columns, self.overlap)}
            if self.overlap
            else {"roofline_ridge": RooflineRidge(self.columns)}
        )
        return first | {
            "roofline_boost": RooflineBoost(self.columns, self.overlap, seed=self.seed),
            "roofline_gaussian": RooflineGaussian(self.columns, self.overlap),
        }


def blended(predictions: Sequence[Vector]) -> Vector:
    """Return the geometric mean of several models' predictions, each of shape (rows,)."""
    return np.asarray(np.exp(np.mean(np.log(predictions), axis=0)))
