"""This module computes bounds on a latency from the errors of predictions on unseen rows.

Let r_i = actual_i / predicted_i, where the prediction comes from a model fitted without row i,
and sort the n ratios. For a new row the upper bound is the prediction times the k-th smallest
ratio with k = (n + 1) c. When k is not an integer, the logarithm is interpolated between the two
neighbours.

What holds. If the new row's ratio and the n ratios are exchangeable, P(actual <= upper) lies
between floor(k) / (n + 1) and ceil(k) / (n + 1), whatever their distribution, on average over logs
of this size (split conformal prediction; Vovk, Gammerman & Shafer 2005, ch. 4). This is not true
for each kind of row: the share may be lower among the largest models and higher among the
smallest.

What does not hold exactly. The ratios here come from K-fold cross-validation, and the model that
predicts was fitted to all rows. This is the plain variant of CV+ (Barber et al. 2021, "Predictive
inference with the jackknife+"). The authors prove 1 - 2(1 - c) up to a small term for CV+ itself,
and observe about c for both. The plain variant has no guarantee unless the model is stable.
The model was chosen with the same folds, which makes the ratios a little too good. Drift, a new
device, another workload and architectures chosen by a search break exchangeability altogether.
"""

from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import ArrayLike


def least_rows(confidence: float) -> int:
    """Return the number of ratios that a bound at this confidence needs.

    It is ceil(c / (1 - c)): 19 for 0.95.

    Raises:
        ValueError: When the confidence is not between 0 and 1.
    """
    share = _exact(confidence)
    return ceil(share / (1 - share))


def ratio_bounds(ratios: ArrayLike, confidence: float) -> tuple[float, float]:
    """Return two one-sided bounds on actual/predicted, each at this confidence.

    Args:
        ratios: The actual over the predicted latency of unseen rows, shape (rows,).
        confidence: The confidence c of each bound by itself. Both together hold at 2 c - 1.

    Returns:
        The lower bound, at most 1, and the upper bound, at least 1.

    Raises:
        ValueError: When the confidence is not between 0 and 1, or too high for so few ratios.
    """
    ordered = np.sort(np.asarray(ratios, dtype=np.float64))
    n = len(ordered)
    if n < least_rows(confidence):
        raise ValueError(
            f"'confidence' {confidence:g} needs at least {least_rows(confidence)} measured rows. "
            f"Got {n}. Measure more, or ask for at most {floor(1000 * n / (n + 1)) / 1000:.3f}."
        )
    k = (n + 1) * _exact(confidence)
    places = [float(n - k), float(k - 1)]  # counted from 0; the lower bound mirrors the upper one
    lower, upper = np.exp(np.interp(places, np.arange(n), np.log(ordered)))
    return min(1.0, float(lower)), max(1.0, float(upper))


def block_coverage(ratios: ArrayLike, confidence: float, *, n_blocks: int = 10) -> float | None:
    """Return the share of rows that lie under the upper bound from the rest of the log.

    Blocks of neighbouring rows are held out in turn. So the share is lower than the confidence
    when the machine drifted while the log was measured.

    Args:
        ratios: The actual over the predicted latency in the order of the log, shape (rows,).
        confidence: The confidence of the upper bound.
        n_blocks: The number of blocks.

    Returns:
        A share in [0, 1], or None when the rows without a block are too few for the confidence.
    """
    values = np.asarray(ratios, dtype=np.float64)
    blocks = np.array_split(np.arange(len(values)), n_blocks)
    if len(values) - len(blocks[0]) < least_rows(confidence):
        return None
    covered = 0
    for block in blocks:
        _, upper = ratio_bounds(np.delete(values, block), confidence)
        covered += int(np.count_nonzero(values[block] <= upper))
    return covered / len(values)


def left_out_coverage(ratios: ArrayLike, confidence: float) -> float | None:
    """Return the share of rows that lie under the upper bound from all other rows.

    This is `block_coverage` with as many blocks as rows, but the ratios are sorted only once.
    Without a row, the k-th smallest of the other ratios is the k-th of all, or the one after it
    when the row is among the first k.

    Args:
        ratios: The actual over the predicted latency, shape (rows,).
        confidence: The confidence of the upper bound.

    Returns:
        A share in [0, 1], or None when the rows less one are too few for the confidence.
    """
    logs = np.log(np.sort(np.asarray(ratios, dtype=np.float64)))
    n_others = len(logs) - 1
    if n_others < least_rows(confidence):
        return None
    rank = np.arange(len(logs))
    k = (n_others + 1) * _exact(confidence)
    low, share = floor(k) - 1, float(k - floor(k))
    high = min(low + 1, n_others - 1)
    upper = (1 - share) * logs[low + (rank <= low)] + share * logs[high + (rank <= high)]
    return float(np.mean(logs <= np.maximum(upper, 0.0)))


def _exact(confidence: float) -> Fraction:
    """Return the confidence as an exact decimal, because in floats 0.95 / 0.05 exceeds 19."""
    if not 0 < confidence < 1:
        raise ValueError(f"'confidence' must be between 0 and 1. Got {confidence!r}.")
    return Fraction(str(float(confidence)))
