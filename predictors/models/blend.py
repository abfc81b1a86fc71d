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

    Attributes:
        PARTS: The models, by the names under which they compete.
    """

    PARTS: ClassVar = {
        "roofline_ridge": RooflineRidge,
        "roofline_boost": RooflineBoost,
        "roofline_gaussian": RooflineGaussian,
    }

    def __init__(self, columns: Sequence[int] | None = None) -> None:
        self.columns = columns

    def _fit(self, X: Matrix, y: Vector) -> None:
        # By name and state, so that a stored blend names no class of ours.
        self.parts_ = {
            name: dict(vars(kind(columns=self.columns).fit(X, y)))
            for name, kind in self.PARTS.items()
        }

    def _predict(self, X: Matrix) -> Vector:
        return blended([self._part(name).predict(X) for name in self.PARTS])

    def _part(self, name: str) -> LatencyModel:
        part: LatencyModel = self.PARTS[name]()
        for attribute, value in self.parts_[name].items():
            setattr(part, attribute, value)
        return part


def blended(predictions: Sequence[Vector]) -> Vector:
    """The geometric mean of several models' predictions, shape (rows,) each."""
    return np.asarray(np.exp(np.mean(np.log(predictions), axis=0)))
