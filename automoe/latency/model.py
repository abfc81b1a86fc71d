"""This module lets a predictor take architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload, WorkloadTextError
from automoe.latency.features import feature_table
from devices.shown import Shown
from predictors import Predictor, PredictorFileError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LatencyModel(Shown):
    """A predictor and the sentence whose translation it predicts.

    Attributes:
        predictor: The predictor, which was fitted to a log of `automoe profile`.
        workload: The sentence whose translation that log timed.
    """

    predictor: Predictor
    workload: TranslationWorkload

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return self.predictor.shown()

    @classmethod
    def open(cls, path: Path | str) -> "LatencyModel":
        """Read a predictor from its file.

        Raises:
            PredictorFileError: The file is not a predictor, or was not fitted to architectures.
        """
        predictor = Predictor.load(path)
        try:
            return cls.of(predictor)
        except WorkloadTextError as error:
            if "workload" in predictor.details:
                raise PredictorFileError(f"'{path}': {error} Fit an unchanged log.") from None
            text = predictor.conditions.get("workload", "")
            raise PredictorFileError(
                f"'{path}' was fitted to a log without architectures (workload '{text}'). Fit a "
                "log of 'automoe profile --space' or '--archs', or predict the rows of a CSV."
            ) from None

    @classmethod
    def of(cls, predictor: Predictor) -> "LatencyModel":
        """Return the model of a predictor, with the workload that its log timed.

        Raises:
            WorkloadTextError: The predictor was not fitted to architectures.
        """
        text, content = (x.get("workload") for x in (predictor.conditions, predictor.details))
        return cls(predictor, TranslationWorkload.restore(text or "", content))

    def table(self, architectures: Sequence[Architecture]) -> pd.DataFrame:
        """Return the features of each architecture, in their order."""
        return feature_table(architectures, self.workload)

    def predict(
        self,
        architectures: Sequence[Architecture],
        *,
        confidence: float = 0.95,
        searched: bool = False,
    ) -> pd.DataFrame:
        """Predict the columns `predicted_ms`, `lower_ms` and `upper_ms`.

        The result has a row for each architecture, in their order.

        Args:
            architectures: At least one architecture.
            confidence: The confidence of each bound by itself.
            searched: Whether they are candidates of a search. See ``Predictor.predict``.

        Raises:
            ValueError: The predictor was fitted to too few rows for the confidence.
            TableError: The predictor needs a column that architectures do not have.
        """
        table = self.table(architectures)
        return self.predictor.predict(table, confidence=confidence, searched=searched)

    def refitted(
        self, architectures: Sequence[Architecture], latency_ms: Sequence[float]
    ) -> "LatencyModel":
        """Return a model that also knows more measurements. See `predictors.refitted`.

        Args:
            architectures: At least one architecture.
            latency_ms: Their measured latencies in milliseconds, all above 0.

        Raises:
            ValueError: There is no architecture, or a latency is not above 0.
        """
        table = self.table(architectures)
        from predictors import refitted  # scikit-learn takes a second to import

        return LatencyModel(refitted(self.predictor, table, latency_ms), self.workload)

    def upper_ms(
        self, architectures: Sequence[Architecture], *, confidence: float = 0.95
    ) -> NDArray[np.float64]:
        """Return the upper bounds in ms that a search compares with its budget.

        Their shape is ``[len(architectures)]``.
        """
        bounds = self.predict(architectures, confidence=confidence, searched=True)
        return bounds["upper_ms"].to_numpy()
