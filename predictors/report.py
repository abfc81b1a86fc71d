"""What a fit found, as plain data."""

from dataclasses import dataclass

from predictors.scores import ModelScore


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the upper bound held.

    Attributes:
        confidence: Asked for.
        share: Of the log's rows that stayed under the bound calibrated without their tenth.
    """

    confidence: float
    share: float


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit found.

    Attributes:
        winner: The model that predicts.
        n_rows: Rows fitted.
        n_excluded: Rows of the log left out because they were flagged.
        targets: The columns that were summed to the latency.
        features: The columns of the feature matrix.
        models: The score of every model in cross-validation, best first.
        coverage: Of the upper bound at 0.9 and 0.95, where there are rows enough.
        noise_floor: Median half-width of the measurements' own confidence intervals relative to
            the latency; None when the log has no `ci_low_ms` and `ci_high_ms`.
    """

    winner: str
    n_rows: int
    n_excluded: int
    targets: tuple[str, ...]
    features: tuple[str, ...]
    models: tuple[ModelScore, ...]
    coverage: tuple[Coverage, ...]
    noise_floor: float | None

    @property
    def best(self) -> ModelScore:
        """The score of the winner."""
        return self.models[0]
