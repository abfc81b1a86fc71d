"""Bounds on a latency from the errors of predictions on rows the model had not seen.

Let r_i = actual_i / predicted_i, where the prediction comes from a model fitted without row i,
and sort the n ratios. For a new row the upper bound is the prediction times the k-th smallest,
k = (n + 1) c, interpolated between its neighbours in the logarithm when it is no integer.

What holds. If the new row's ratio and the n ratios are exchangeable, P(actual <= upper) lies
between floor(k) / (n + 1) and ceil(k) / (n + 1), whatever their distribution, on average over logs
of this size (split conformal prediction; Vovk, Gammerman & Shafer 2005, ch. 4). It is not a
promise for one kind of row: the share may be lower among the largest models and higher among the
smallest.

What does not hold exactly. The ratios here come from K-fold cross-validation, and the model that
predicts was fitted to all rows, which is the plain variant of CV+ (Barber et al. 2021, "Predictive
inference with the jackknife+"). They guarantee 1 - 2(1 - c) up to a small term for CV+ itself and
observe about c for both; the plain variant has no guarantee without stability of the model.
Choosing the model with the same folds makes the ratios a little too good. Drift, a new device,
another workload and architectures chosen by a search break exchangeability altogether.
"""

from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import ArrayLike


def least_rows(confidence: float) -> int:
    """How many ratios a bound at this confidence needs: ceil(c / (1 - c)); 19 for 0.95.

    Raises:
        ValueError: When the confidence is not between 0 and 1.
    """
    share = _exact(confidence)
    return ceil(share / (1 - share))


def ratio_bounds(ratios: ArrayLike, confidence: float) -> tuple[float, float]:
    """Two one-sided bounds on actual/predicted, each at this confidence.

    Args:
        ratios: Actual over predicted of rows the model had not seen, shape (rows,).
        confidence: Of each bound by itself; together they hold at 2 c - 1.

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
    below, share = floor(k), float(k - floor(k))
    logs = np.log(np.concatenate([ordered, ordered[-1:]]))  # at k = n nothing lies above
    upper = np.exp((1 - share) * logs[below - 1] + share * logs[below])
    mirrored = np.log(np.concatenate([ordered[::-1], ordered[:1]]))
    lower = np.exp((1 - share) * mirrored[below - 1] + share * mirrored[below])
    return min(1.0, float(lower)), max(1.0, float(upper))


def block_coverage(ratios: ArrayLike, confidence: float, *, n_blocks: int = 10) -> float | None:
    """The share of rows under the upper bound that the rest of the log gives.

    Blocks of neighbouring rows are held out in turn, so a log that drifted while it was measured
    covers less than it claims.

    Args:
        ratios: Actual over predicted in the order of the log, shape (rows,).
        confidence: Of the upper bound.
        n_blocks: How many blocks.

    Returns:
        A share in [0, 1]; None when the rows without a block are too few for the confidence.
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
    """The share of rows under the upper bound that all other rows give.

    `block_coverage` with as many blocks as rows, from one sort: without a row, the k-th smallest
    of the others is the k-th of all, or the one after it when the row is among the first k.

    Args:
        ratios: Actual over predicted, shape (rows,).
        confidence: Of the upper bound.

    Returns:
        A share in [0, 1]; None when the rows less one are too few for the confidence.
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
    """The decimal that was meant: in floats, 0.95 / 0.05 is more than 19."""
    if not 0 < confidence < 1:
        raise ValueError(f"'confidence' must be between 0 and 1. Got {confidence!r}.")
    return Fraction(str(float(confidence)))
