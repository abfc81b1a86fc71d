"""What a fit found, as plain data."""

from dataclasses import dataclass

from predictors.effects import Effect
from predictors.learning_curve import LearningCurve
from predictors.scores import ModelScore

_MORE_ROWS = 20


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the upper bound held.

    Attributes:
        confidence: Asked for.
        share: Of the log's rows that stayed under the bound calibrated without their tenth.
    """

    confidence: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a fit found.

    Attributes:
        winner: The model that predicts.
        n_rows: Rows fitted.
        n_excluded: Rows of the log left out because they were flagged.
        n_groups: Groups of rows that were never split between fit and test; None without.
        targets: The columns that were summed to the latency.
        features: The columns of the feature matrix.
        roles: What each column of the log was taken for.
        physics: What kind of table it was recognised as; None for any other.
        models: The score of every model in cross-validation, best first.
        coverage: Of the upper bound at 0.9 and 0.95, where there are rows enough.
        noise_floor: Median half-width of the measurements' own confidence intervals relative to
            the latency; None when the log has no `ci_low_ms` and `ci_high_ms`.
        learning_curve: Of the winner; None when the rows are too few.
        effects: Of the columns, largest first.
        quality: Rows by their grade; empty when the log has none.
        warnings: What to mind about the log.
    """

    winner: str
    n_rows: int
    n_excluded: int
    n_groups: int | None
    targets: tuple[str, ...]
    features: tuple[str, ...]
    roles: dict[str, str]
    physics: str | None
    models: tuple[ModelScore, ...]
    coverage: tuple[Coverage, ...]
    noise_floor: float | None
    learning_curve: LearningCurve | None
    effects: tuple[Effect, ...]
    quality: dict[str, int]
    warnings: tuple[str, ...]

    @property
    def best(self) -> ModelScore:
        """The score of the winner."""
        return self.models[0]

    @property
    def outlook(self) -> str:
        """What more measurements would bring, for a person."""
        curve = self.learning_curve
        if curve is None:
            return "too few rows to say what more of them would bring"
        points = 100 * curve.gain(self.n_rows, _MORE_ROWS)
        return (
            f"{_MORE_ROWS} more measurements would bring {points:.1f} points; "
            f"no number brings less than {curve.floor:.1%}"
        )

    def verdict(self, goal: float) -> str:
        """Whether the mean error has reached a goal, and how many rows are missing, if any.

        Args:
            goal: A MAPE as a share.
        """
        if self.best.mape <= goal:
            return f"enough: {self.best.mape:.1%} on unseen rows, goal {goal:.1%}"
        said = f"not enough yet: {self.best.mape:.1%} on unseen rows, goal {goal:.1%}"
        curve = self.learning_curve
        if curve is None:
            return f"{said}; measure {_MORE_ROWS} more to see how fast it falls"
        needed = curve.rows_for(goal)
        if needed is None:
            return f"{said}; more rows alone will not do, about {curve.floor:.1%} stays"
        return f"{said}; about {max(needed - self.n_rows, _MORE_ROWS // 4)} more rows are needed"
