"""A fitted latency model with bounds."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.conformal import ratio_bounds
from predictors.features import FeatureSchema
from predictors.models import LatencyModel
from predictors.report import FitReport
from predictors.storage import load_parts, save_parts

# A value computed twice may differ in its last digits without being new.
_RANGE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """Milliseconds for the rows of a table, with a one-sided bound on each side.

    Attributes:
        schema: The features and their encoding.
        model: The winner, fitted to all rows.
        ratios: Actual over predicted of rows the model had not seen, shape (rows,).
        low: The smallest value of each matrix column in the log, shape (columns,).
        high: The largest.
        report: What the fit found.
        conditions: What the log was measured under, such as the device, by column.
        constants: Columns that could be features but had one value all over the log.
    """

    schema: FeatureSchema
    model: LatencyModel
    ratios: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    report: FitReport
    conditions: dict[str, str]
    constants: dict[str, float]

    def predict(self, frame: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
        """Latency in milliseconds and its bounds.

        See `predictors.conformal` for what the bounds promise.

        Args:
            frame: The feature columns, at least; others are ignored.
            confidence: Of each bound by itself.

        Returns:
            Columns `predicted_ms`, `lower_ms`, `upper_ms` on the index of `frame`.

        Raises:
            TableError: When a feature is missing, not a number, or a level is unknown.
            ValueError: When the confidence is out of reach of the rows fitted.
        """
        lower, upper = ratio_bounds(self.ratios, confidence)
        matrix = self.schema.matrix(frame)
        predicted = self.model.predict(matrix) if len(matrix) else np.empty(0)
        columns = {
            "predicted_ms": predicted,
            "lower_ms": predicted * lower,
            "upper_ms": predicted * upper,
        }
        return pd.DataFrame(columns, index=frame.index)

    def extrapolates(self, frame: pd.DataFrame) -> pd.Series:
        """Whether a row lies outside the range of the log in any numeric column.

        A column that was constant in the log counts too, where `frame` has it. The bounds
        promise nothing there. A row inside every range may still be far from all rows of the log.
        """
        matrix = self.schema.matrix(frame)
        slack = _RANGE_TOLERANCE * np.maximum(np.abs(self.low), np.abs(self.high))
        outside = (matrix < self.low - slack) | (matrix > self.high + slack)
        found = outside[:, self.schema.measured].any(axis=1)
        for name in self.constants.keys() & set(frame.columns):
            values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
            found |= ~np.isclose(values, self.constants[name], rtol=_RANGE_TOLERANCE)
        return pd.Series(found, index=frame.index)

    def save(self, path: str | Path) -> None:
        """Write one versioned file; see `predictors.storage`."""
        save_parts({field.name: getattr(self, field.name) for field in fields(self)}, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote; nothing in it is run.

        Raises:
            PredictorFileError: When the file is missing, damaged, or not a predictor.
        """
        return cls(**load_parts(path))
