"""This module scores predictions. Errors are shares: 0.03 is 3 %."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class ModelScore:
    """The score of one model on unseen rows.

    Attributes:
        name: The name of the model.
        mape: The mean of |predicted - actual| / actual.
        within_5: The share of rows predicted within 5 % of the actual latency.
        within_10: The share of rows predicted within 10 % of the actual latency.
        spearman: Spearman's rank correlation; 0 when predictions or latencies are constant.
        kendall: Kendall's tau-b; 0 when predictions or latencies are constant.
    """

    name: str
    mape: float
    within_5: float
    within_10: float
    spearman: float
    kendall: float


def score(name: str, predicted_ms: ArrayLike, actual_ms: ArrayLike) -> ModelScore:
    """Return the score of predictions. Both arrays have the shape (rows,).

    Raises:
        ValueError: The shapes differ.
    """
    from scipy.stats import kendalltau, spearmanr  # takes a second to import

    predicted, actual = np.asarray(predicted_ms), np.asarray(actual_ms)
    if predicted.shape != actual.shape:
        raise ValueError(
            f"'predicted_ms' must have the shape of 'actual_ms', {actual.shape}. "
            f"Got {predicted.shape}."
        )
    error = np.abs(predicted / actual - 1)
    within_5, within_10 = float(np.mean(error <= 0.05)), float(np.mean(error <= 0.1))
    spearman, kendall = 0.0, 0.0
    if np.ptp(predicted) > 0 and np.ptp(actual) > 0:
        spearman = float(spearmanr(predicted, actual).statistic)
        kendall = float(kendalltau(predicted, actual).statistic)
    return ModelScore(name, float(error.mean()), within_5, within_10, spearman, kendall)


def mean_score(scores: Sequence[ModelScore]) -> ModelScore:
    """Return the mean of the scores of one model over repetitions."""
    names = ("mape", "within_5", "within_10", "spearman", "kendall")
    means = (float(np.mean([getattr(each, name) for each in scores])) for name in names)
    return ModelScore(scores[0].name, *means)
