"""This module blends the predictions of several models."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.models.base import LatencyModel, Matrix, Vector
from predictors.models.roofline import RooflineBoost, RooflineGaussian, RooflineRidge


class RooflineBlend(LatencyModel):
    """The geometric mean of the three corrected rooflines, whose errors differ.

    Args:
        columns: The matrix columns that are work; None takes all.
        overlap: Two of these columns that are done at the same time; None for no such columns.
        seed: The seed of the boosted trees.

    Attributes:
        PARTS: The names under which the three models compete.
    """

    PARTS: ClassVar = ("roofline_ridge", "roofline_boost", "roofline_gaussian")

    overlap: tuple[int, int] | None = None  # files of 0.1.0 do not hold it

    def __init__(
        self,
        columns: Sequence[int] | None = None,
        overlap: tuple[int, int] | None = None,
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

    def _unfitted(self) -> dict[str, LatencyModel]:
        return {
            "roofline_ridge": RooflineRidge(self.columns, self.overlap),
            "roofline_boost": RooflineBoost(self.columns, self.overlap, seed=self.seed),
            "roofline_gaussian": RooflineGaussian(self.columns, self.overlap),
        }


def blended(predictions: Sequence[Vector]) -> Vector:
    """Return the geometric mean of several models' predictions, each of shape (rows,)."""
    return np.asarray(np.exp(np.mean(np.log(predictions), axis=0)))
