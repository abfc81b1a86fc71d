"""This module computes intervals of BLEU and of differences of BLEU from sentence statistics.

Sentences are drawn with replacement (Koehn 2004, "Statistical significance tests for machine
translation evaluation"). Two models are compared on the same drawn sentences. The trainings of a
model, one for each seed, are drawn with replacement as well, because another training would give
another score. The variance of S drawn means is too small by the factor (S - 1) / S, so it is
widened by that. Of a single training only the sentences are drawn.

Legend: N sentences, R resamples, S trainings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from devices.rounding import rounded_down, rounded_up

Statistics = NDArray[np.int64]  # [N, 10], see `translations.sentence_statistics`
CONFIDENCE = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def shown(self, places: int, *, signed: bool = False) -> str:
        """Return the value and its interval as text, with the ends rounded outward.

        Args:
            places: The number of digits behind the decimal point.
            signed: Whether a number that is not negative has a plus sign, as in a difference.
        """
        value = f"{self.value:.{places}f}"
        low, high = rounded_down(self.low, places=places), rounded_up(self.high, places=places)
        if signed:
            value, low, high = (
                text if text.startswith("-") else f"+{text}" for text in (value, low, high)
            )
        return f"{value} ({low} to {high})"


def bleu(statistics: Statistics) -> float:
    """Return the corpus BLEU of sacreBLEU, 0 to 100."""
    return float(_bleu_of(statistics.sum(axis=0)))


def mean_bleu(trainings: Sequence[Statistics], *, seed: int = 0) -> Estimate:
    """Return the mean BLEU of one model's trainings on the same sentences."""
    rng = np.random.default_rng(seed)
    means_R = _resampled(trainings, _drawn(trainings, rng), rng)
    return _estimate(float(np.mean([bleu(each) for each in trainings])), means_R)


def difference(
    first: Sequence[Statistics], second: Sequence[Statistics], *, seed: int = 0
) -> Estimate:
    """Return the mean BLEU of the first model less that of the second one."""
    rng = np.random.default_rng(seed)
    weights_RN = _drawn(first, rng)
    differences_R = _resampled(first, weights_RN, rng) - _resampled(second, weights_RN, rng)
    value = np.mean([bleu(each) for each in first]) - np.mean([bleu(each) for each in second])
    return _estimate(float(value), differences_R)


def _drawn(trainings: Sequence[Statistics], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each sentence is drawn in each resample, ``[R, N]``."""
    n = len(trainings[0])
    return rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)


def _resampled(
    trainings: Sequence[Statistics], weights_RN: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the mean BLEU over drawn trainings of each resample, ``[R]``."""
    scores_SR = np.array([[_bleu_of(sums) for sums in weights_RN @ each] for each in trainings])
    n_trainings = len(trainings)
    chosen_RS = rng.integers(n_trainings, size=(len(weights_RN), n_trainings))
    drawn_R = np.take_along_axis(scores_SR.T, chosen_RS, axis=1).mean(axis=1)
    overall_R = scores_SR.mean(axis=0)
    widening = (n_trainings / max(n_trainings - 1, 1)) ** 0.5
    means_R: NDArray[np.float64] = overall_R + widening * (drawn_R - overall_R)
    return means_R


def _bleu_of(sums_10: NDArray[np.int64]) -> float:
    correct, total = sums_10[:4].tolist(), sums_10[4:8].tolist()
    sys_len, ref_len = sums_10[8:].tolist()
    score = BLEU.compute_bleu(correct, total, sys_len, ref_len, smooth_method="exp").score
    return float(score)


def _estimate(value: float, drawn_R: NDArray[np.float64]) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn_R, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
