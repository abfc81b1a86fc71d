"""This module holds the report of a fit, as plain data."""

from dataclasses import dataclass, field

from devices.rounding import percent_down
from devices.shown import Shown
from predictors.effects import Effect
from predictors.learning_curve import LearningCurve
from predictors.scores import ModelScore

_MORE_ROWS = 20
_SHOWN_POINTS = 0.05  # shown as 0.1
_AS_BEFORE = "if the error goes on falling as before"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of the upper bound: how often it held.

    Attributes:
        confidence: The confidence of the bound.
        share: The share of the log's rows under a bound that comes from the other nine tenths of
            the log. A group is held out as a whole, and all groups count the same.
    """

    confidence: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitReport(Shown):
    """The report of a fit.

    Attributes:
        winner: The name of the model that predicts.
        n_rows: The number of rows that were fitted.
        n_excluded: The number of rows that were left out because they were flagged as failed.
        n_groups: The number of groups that were fitted or tested as a whole; None without groups.
        targets: The columns that were summed to the latency.
        features: The columns of the feature matrix.
        roles: The role of each column of the log.
        physics: The kind of a recognised table; None for any other table.
        models: The score of every model in cross-validation, best first.
        coverage: The coverage of the upper bound at 0.9 and 0.95, when there are enough rows.
        noise_floor: The median half-width of the measurements' own confidence intervals over the
            latency; None when the log has no `ci_low_ms` and `ci_high_ms`.
        learning_curve: The learning curve of the winner; None when the rows are too few.
        effects: The effects of the columns, largest first.
        quality: The number of rows of each quality; empty when the log has no qualities.
        warnings: The problems of the log that do not prevent a fit.
        left_out: The columns that are no features because they look like results, with the reason
            for each. Files of 0.1.0 have none.
        conversions: A sentence for each target that was converted to milliseconds, and for each
            other change of what the file holds.
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
    left_out: dict[str, str] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "model": self.winner,
            "rows": self.n_rows,
            "latency": " + ".join(self.targets),
            "mean error on unseen rows": f"{self.best.mape:.1%}",
            "within 10 %": f"{self.best.within_10:.1%}",
            **{f"bound at {c.confidence:g} held on": percent_down(c.share) for c in self.coverage},
            "outlook": self.outlook,
            "warnings": self.warnings,
        }

    @property
    def best(self) -> ModelScore:
        """The score of the winner."""
        return self.models[0]

    @property
    def choice(self) -> str:
        """A sentence that says why a model predicts that has not the smallest error; else empty."""
        least = min(self.models, key=lambda each: each.mape)
        if self.best.mape <= least.mape:
            return ""
        return (
            f"no model is clearly better than {self.winner}: the smaller error of {least.name} may "
            f"be chance (within two standard errors), and {self.winner} is simpler"
        )

    @property
    def outlook(self) -> str:
        """A sentence that says what more measurements may bring, by the learning curve."""
        curve = self.learning_curve
        if curve is None:
            return "too few rows to say what more of them would bring"
        if not curve.follows_law:
            return "the error falls too unevenly to say what more rows would bring"
        points = 100 * curve.gain(self.n_rows, _MORE_ROWS)
        gain = f"{points:.1f} points" if points >= _SHOWN_POINTS else "less than 0.1 points"
        return f"{_AS_BEFORE}, {_MORE_ROWS} more measurements lower it by {gain}"

    def verdict(self, goal: float) -> str:
        """Return a sentence: whether the error has reached a goal, and how many rows are missing.

        Args:
            goal: The MAPE that is wanted, as a share.
        """
        if self.best.mape <= goal:
            return f"enough: {self.best.mape:.1%} on unseen rows, goal {goal:.1%}"
        verdict = f"not enough yet: {self.best.mape:.1%} on unseen rows, goal {goal:.1%}"
        curve = self.learning_curve
        if curve is None or not curve.follows_law:
            return f"{verdict}; measure {_MORE_ROWS} more to see how fast it falls"
        needed = curve.rows_for(goal)
        if needed is None:
            return (
                f"{verdict}; no number of rows reaches it with {self.winner} {_AS_BEFORE}: another "
                "model may win, or a feature is missing"
            )
        more = max(needed - self.n_rows, _MORE_ROWS // 4)
        return f"{verdict}; about {more} more rows are needed {_AS_BEFORE}"
