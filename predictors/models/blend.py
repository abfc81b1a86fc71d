"""Several models' common opinion."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.models.base import LatencyModel, Matrix, Vector
from predictors.models.roofline import RooflineBoost, RooflineGaussian, RooflineRidge


class RooflineBlend(LatencyModel):
    """The geometric mean of the three corrected rooflines, whose errors differ.

    Args:
        columns: As of `Roofline`.
        seed: Of the boosted trees.

    Attributes:
        PARTS: The models, by the names under which they compete.
    """

    PARTS: ClassVar = {
        "roofline_ridge": RooflineRidge,
        "roofline_boost": RooflineBoost,
        "roofline_gaussian": RooflineGaussian,
    }

    def __init__(self, columns: Sequence[int] | None = None, seed: int = 0) -> None:
        self.columns = columns
        self.seed = seed

    def _fit(self, X: Matrix, y: Vector) -> None:
        # By name and state, so that a stored blend names no class of ours.
        self.parts_ = {name: dict(vars(self._unfitted(name).fit(X, y))) for name in self.PARTS}

    def _predict(self, X: Matrix) -> Vector:
        return blended([self._part(name).predict(X) for name in self.PARTS])

    def _unfitted(self, name: str) -> LatencyModel:
        if name == "roofline_boost":
            return RooflineBoost(self.columns, seed=self.seed)
        model: LatencyModel = self.PARTS[name](self.columns)
        return model

    def _part(self, name: str) -> LatencyModel:
        part: LatencyModel = self.PARTS[name]()
        for attribute, value in self.parts_[name].items():
            setattr(part, attribute, value)
        return part


def blended(predictions: Sequence[Vector]) -> Vector:
    """The geometric mean of several models' predictions, shape (rows,) each."""
    return np.asarray(np.exp(np.mean(np.log(predictions), axis=0)))
