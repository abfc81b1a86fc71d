"""This module holds models that see the columns of the log alone, without derived ones."""

from collections.abc import Sequence
from typing import ClassVar

from predictors.models.base import LatencyModel, Matrix, Vector
from predictors.models.blend import RooflineBlend
from predictors.models.roofline import Roofline


class PlainRoofline(LatencyModel):
    """A roofline whose work is the log's own columns.

    The derived columns of a recognised table may be wrong for a table. This model competes with
    those that use them.

    Args:
        columns: The matrix columns that are the log's own; None takes all.
    """

    PART: ClassVar[type[LatencyModel]] = Roofline

    def __init__(self, columns: Sequence[int] | None = None) -> None:
        self.columns = columns

    def _fit(self, X: Matrix, y: Vector) -> None:
        self.part_ = dict(vars(self.PART().fit(self._own(X), y)))

    def _predict(self, X: Matrix) -> Vector:
        return self.PART().restore(self.part_).predict(self._own(X))

    def _own(self, X: Matrix) -> Matrix:
        return X if self.columns is None else X[:, list(self.columns)]


class PlainBlend(PlainRoofline):
    """A blend of corrected rooflines whose work is the log's own columns.

    Args:
        columns: The matrix columns that are the log's own; None takes all.
    """

    PART: ClassVar[type[LatencyModel]] = RooflineBlend
