"""This module holds the predictor: a fitted model with bounds."""

from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devices.shown import Shown
from predictors.conditions import other_conditions
from predictors.conformal import least_rows, most_confidence, ratio_bounds
from predictors.features import FeatureSchema
from predictors.models import LatencyModel
from predictors.report import FitReport
from predictors.search_bound import search_factor
from predictors.storage import load_parts, save_parts
from predictors.table import TableError

BASE_COLUMN: Final = "base_ms"

# A value that is computed twice may differ in its last digits.
_RANGE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Predictor(Shown):
    """A fitted model that predicts latencies with a lower and an upper bound.

    Attributes:
        schema: The features and their encoding.
        model: The winner, fitted to all rows.
        base: The predictor of another device whose prediction is the last column; or None.
        rows: The features of the fitted rows, shape (rows, columns).
        unseen_ms: The prediction for each fitted row by a model fitted without it, shape (rows,).
        ratios: The actual latency over `unseen_ms`, shape (rows,).
        report: The report of the fit.
        conditions: The conditions of the log, such as the device, by column.
        constants: The columns that could be features but had one value all over the log.
        details: The details of conditions, as JSON values by condition. The program that wrote
            the log knows what they mean.
        groups: The group of every fitted row, shape (rows,); None when each row is a group by
            itself. The bounds hold for rows of new groups.
    """

    schema: FeatureSchema
    model: LatencyModel
    base: "Predictor | None"
    rows: NDArray[np.float64]
    unseen_ms: NDArray[np.float64]
    ratios: NDArray[np.float64]
    report: FitReport
    conditions: dict[str, str]
    constants: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)
    groups: NDArray[np.int64] | None = None

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {**self.report.shown(), **self.conditions}

    def predict(
        self, frame: pd.DataFrame, *, confidence: float = 0.95, searched: bool = False
    ) -> pd.DataFrame:
        """Return latencies in milliseconds with their bounds.

        `predictors.conformal` says what the bounds promise.

        Args:
            frame: A table with the feature columns. Other columns are ignored.
            confidence: The confidence of each bound by itself.
            searched: Whether the rows are candidates of a search. A search picks those that are
                predicted too low, so the upper bound is wider for them.

        Returns:
            Columns `predicted_ms`, `lower_ms`, `upper_ms` on the index of `frame`.

        Raises:
            TableError: A feature is missing or not a number, or a level is unknown.
            ValueError: The fitted rows are too few for the confidence.
        """
        lower, upper = _bounds(self, confidence)
        if searched:
            upper = max(upper, _search_factor(self, confidence))
        matrix = matrix_of(frame, self.schema, self.base)
        predicted = self.model.predict(matrix) if len(matrix) else np.empty(0)
        columns = {
            "predicted_ms": predicted,
            "lower_ms": predicted * lower,
            "upper_ms": predicted * upper,
        }
        return pd.DataFrame(columns, index=frame.index)

    def shortage(self, confidence: float = 0.95) -> str | None:
        """Return a sentence when too few groups were fitted for a bound without assumptions.

        It says what to do. Return None when they are enough.
        """
        n_groups, least = self.report.n_groups, least_rows(confidence)
        if n_groups is None:
            return None
        if self.groups is None:
            return (
                "the predictor's file does not say which rows are of one group, and the bound "
                "counts them as independent, which makes it too narrow: fit the log again"
            )
        if n_groups >= least:
            return None
        return (
            f"a bound at {confidence:g} takes {least} groups, got {n_groups}: this one is wide, "
            "assumes normal errors, and may hold for somewhat fewer new groups; "
            f"measure {least - n_groups} more groups, or ask for a "
            f"--confidence of at most {most_confidence(n_groups):.3f}"
        )

    def extrapolates(self, frame: pd.DataFrame) -> pd.Series:
        """Return whether each row lies outside the range of the log in any numeric column.

        A column that was constant in the log counts too, when `frame` has it. The bounds promise
        nothing for such rows. A row inside every range may still be far from all rows of the log.
        """
        outside = [is_outside for is_outside, _, _ in self._outside(frame).values()]
        return pd.Series(np.any(outside, axis=0), index=frame.index)

    def ranges_left(self, frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
        """Return the range in the log of each column in which a row lies outside of it."""
        return {
            name: (low, high)
            for name, (is_outside, low, high) in self._outside(frame).items()
            if is_outside.any()
        }

    def _outside(self, frame: pd.DataFrame) -> dict[str, tuple[NDArray[np.bool_], float, float]]:
        """Return which rows lie outside the log, and its range, for each numeric column."""
        matrix = matrix_of(frame, self.schema, self.base)
        lows, highs = self.rows.min(axis=0), self.rows.max(axis=0)
        slack = _RANGE_TOLERANCE * np.maximum(np.abs(lows), np.abs(highs))
        outside = (matrix < lows - slack) | (matrix > highs + slack)
        measured = np.append(self.schema.measured, np.full(int(self.base is not None), True))
        names = matrix_columns(self.schema, self.base)
        found = {
            names[i]: (outside[:, i], float(lows[i]), float(highs[i]))
            for i in np.flatnonzero(measured)
        }
        for name in [name for name in self.constants if name in frame]:
            values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
            known = self.constants[name]
            found[name] = (~np.isclose(values, known, rtol=_RANGE_TOLERANCE), known, known)
        return found

    def other_conditions(self, frame: pd.DataFrame) -> tuple[str, ...]:
        """Return one line for each condition, such as the device, that differs from the log's."""
        return other_conditions(frame, self.conditions)

    def save(self, path: str | Path) -> None:
        """Write the predictor to one versioned file, see `predictors.storage`."""
        save_parts(self._parts(), path)

    def _parts(self) -> dict[str, Any]:
        parts = {x.name: getattr(self, x.name) for x in fields(self)}
        return {**parts, "base": None if self.base is None else self.base._parts()}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote. Nothing in the file is executed.

        Raises:
            PredictorFileError: The file is missing, damaged, or not a predictor.
        """
        return cls._of(load_parts(path))

    @classmethod
    def _of(cls, parts: dict[str, Any]) -> Self:
        base = parts["base"]
        return cls(**{**parts, "base": None if base is None else cls._of(base)})


def matrix_columns(schema: FeatureSchema, base: Predictor | None) -> tuple[str, ...]:
    """Return the names of the columns of `matrix_of`."""
    return (*schema.columns, *([BASE_COLUMN] if base is not None else []))


def matrix_of(
    frame: pd.DataFrame, schema: FeatureSchema, base: Predictor | None
) -> NDArray[np.float64]:
    """Return the features of every row, and the prediction of the base when there is one.

    Raises:
        TableError: A column is missing or has an unusable cell, see `FeatureSchema.matrix`.
    """
    own = schema.matrix(frame)
    if base is None:
        return own
    try:
        predicted = base.predict(frame, confidence=0.5)["predicted_ms"]
    except TableError as error:
        of = base.conditions.get("device", "another device")
        raise TableError(
            f"'base', the predictor of {of}, cannot predict these rows: {error}"
        ) from None
    return np.column_stack([own, predicted])


@lru_cache(maxsize=16)
def _bounds(predictor: Predictor, confidence: float) -> tuple[float, float]:
    """Return the factors from a prediction to its lower and its upper bound."""
    if predictor.groups is None:
        return ratio_bounds(predictor.ratios, confidence)
    actual_ms = predictor.unseen_ms * predictor.ratios
    fitted = actual_ms / predictor.model.predict(predictor.rows)
    return ratio_bounds(predictor.ratios, confidence, predictor.groups, fitted=fitted)


@lru_cache(maxsize=16)
def _search_factor(predictor: Predictor, confidence: float) -> float:
    return search_factor(
        predictor.ratios,
        predictor.unseen_ms,
        predictor.rows,
        confidence=confidence,
        groups=predictor.groups,
    )
