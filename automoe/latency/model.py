"""A latency predictor that is asked about architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from automoe.architecture.architecture import Architecture
from automoe.architecture.workload import TranslationWorkload, WorkloadTextError
from automoe.latency.features import feature_table
from predictors import Predictor, PredictorFileError, refitted


@dataclass(frozen=True, slots=True, eq=False)
class LatencyModel:
    """A predictor and the sentence whose translation it was fitted to.

    Attributes:
        predictor: Fitted to a log of `automoe profile`.
        workload: The sentence that log timed.
    """

    predictor: Predictor
    workload: TranslationWorkload

    @classmethod
    def open(cls, path: Path | str) -> "LatencyModel":
        """A predictor from its file.

        Raises:
            PredictorFileError: The file is no predictor, or was not fitted to architectures.
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
        """A predictor with the workload that its log timed.

        Raises:
            WorkloadTextError: It was not fitted to architectures.
        """
        text, content = (x.get("workload") for x in (predictor.conditions, predictor.details))
        return cls(predictor, TranslationWorkload.restore(text or "", content))

    def table(self, architectures: Sequence[Architecture]) -> pd.DataFrame:
        """The features of each architecture, in their order."""
        return feature_table(architectures, self.workload)

    def predict(
        self,
        architectures: Sequence[Architecture],
        *,
        confidence: float = 0.95,
        searched: bool = False,
    ) -> pd.DataFrame:
        """Columns `predicted_ms`, `lower_ms`, `upper_ms`, a row for each architecture in order.

        Args:
            architectures: At least one.
            confidence: Of each bound by itself.
            searched: Whether they are candidates of a search, see ``Predictor.predict``.

        Raises:
            ValueError: The confidence is out of reach of the rows fitted.
            TableError: The predictor needs a column that architectures do not have.
        """
        table = self.table(architectures)
        return self.predictor.predict(table, confidence=confidence, searched=searched)

    def refitted(
        self, architectures: Sequence[Architecture], latency_ms: Sequence[float]
    ) -> "LatencyModel":
        """With more measurements of the same sentence, see `predictors.refitted`.

        Args:
            architectures: At least one.
            latency_ms: Their latencies in milliseconds, above 0.

        Raises:
            ValueError: There is none, or a latency is not above 0.
        """
        table = self.table(architectures)
        return LatencyModel(refitted(self.predictor, table, latency_ms), self.workload)

    def upper_ms(
        self, architectures: Sequence[Architecture], *, confidence: float = 0.95
    ) -> NDArray[np.float64]:
        """What a search holds against its budget, in ms, shape ``[len(architectures)]``."""
        bounds = self.predict(architectures, confidence=confidence, searched=True)
        return bounds["upper_ms"].to_numpy()
