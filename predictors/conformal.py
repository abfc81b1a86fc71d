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

Rows of one group, such as an architecture that was measured several times, are not exchangeable
with a row of a new group. Groups are. So each of K groups has the same weight, which its rows
share, and the bound is the ratio where the sum of weights of it and all smaller ones is
c (K + 1) / K. This is the quantile of HCP, which promises c for one row of a new group, whatever
the sizes of the groups and the relation of their rows (Lee, Barber & Willett 2023,
"Distribution-free inference with hierarchical data", equation 5; Dunn, Wasserman & Ramdas 2022
take one random row of each group, which is valid too and less stable). It needs as many groups as
an ungrouped log needs rows. From fewer groups, but enough rows, the bound is the upper prediction
limit of a normal sample with one row of each group (Hahn & Meeker 1991, "Statistical Intervals",
section 4.6): it assumes that the logarithms of ratios are normal, and is wide.
A model with p parameters leaves n - p degrees of freedom to the errors of n groups. The share
of errors that remains on fitted rows tells p: without its own row, the error of row i of a linear
model is r_i / (1 - h_i), where r_i is the one with it and the h_i sum to p (Hastie, Tibshirani &
Friedman 2009, section 7.10). The bound is also never below the largest ratio, which by itself
covers n / (n + 1). Whole fits of 5 to 10 groups cover 0.91 to 0.93 at 0.95 in simulations
(`benchmarks/bench_group_coverage.py`).

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
from numpy.typing import ArrayLike, NDArray

_LEAST_FREEDOM = 2.0


def least_rows(confidence: float) -> int:
    """Return the number of ratios that a bound at this confidence needs.

    It is ceil(c / (1 - c)): 19 for 0.95.

    Raises:
        ValueError: When the confidence is not between 0 and 1.
    """
    share = _exact(confidence)
    return ceil(share / (1 - share))


def most_confidence(n: int) -> float:
    """Return the highest confidence, to three places, of a bound from this many ratios."""
    return floor(1000 * n / (n + 1)) / 1000


def ratio_bounds(
    ratios: ArrayLike,
    confidence: float,
    groups: ArrayLike | None = None,
    *,
    fitted: ArrayLike | None = None,
) -> tuple[float, float]:
    """Return two one-sided bounds on actual/predicted, each at this confidence.

    Args:
        ratios: The actual over the predicted latency of unseen rows, shape (rows,).
        confidence: The confidence c of each bound by itself. Both together hold at 2 c - 1.
        groups: The group of every row, shape (rows,); None when each row is a group by itself.
        fitted: The actual over the predicted latency of the model that was fitted to all rows,
            shape (rows,). With too few groups it tells how many parameters the model has. None
            counts only the mean.

    Returns:
        The lower bound, at most 1, and the upper bound, at least 1.

    Raises:
        ValueError: When the confidence is not between 0 and 1, or too high for so few ratios, or
            all of them are of one group.
    """
    values = np.asarray(ratios, dtype=np.float64)
    n_rows = len(values)
    if n_rows < least_rows(confidence):
        raise ValueError(
            f"'confidence' {confidence:g} needs at least {least_rows(confidence)} measured rows. "
            f"Got {n_rows}. Measure more, or ask for at most {most_confidence(n_rows):.3f}."
        )
    codes = np.arange(n_rows) if groups is None else np.asarray(groups)
    order = np.argsort(values)
    logs, codes = np.log(values[order]), codes[order]
    if len(np.unique(codes)) < least_rows(confidence):
        seen = values if fitted is None else np.asarray(fitted, dtype=np.float64)
        lower, upper = _normal_limits(logs, codes, confidence, seen=np.log(seen[order]))
    else:
        lower, upper = _quantiles(logs, group_weights(codes), confidence)
    return min(1.0, float(np.exp(lower))), max(1.0, float(np.exp(upper)))


def _quantiles(
    logs: NDArray[np.float64], weights: NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """Return the bounds on sorted logarithms of ratios with weights, one in all for each group."""
    k = float((round(weights.sum()) + 1) * _exact(confidence))
    upper = np.interp(k, np.cumsum(weights), logs)
    lower = -np.interp(k, np.cumsum(weights[::-1]), -logs[::-1])  # mirrors the upper one
    return float(lower), float(upper)


def _normal_limits(
    logs: NDArray[np.float64],
    codes: NDArray[np.int64],
    confidence: float,
    *,
    seen: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the prediction limits for one row of a new group, as logarithms.

    The variance is what that of one random row of each group is on average over such choices.

    Args:
        logs: The sorted logarithms of the ratios, shape (rows,).
        codes: The group of every row, shape (rows,).
        confidence: The confidence of each limit by itself.
        seen: The same logarithms for predictions by a model that was fitted to all rows, shape
            (rows,).
    """
    from scipy.special import stdtrit  # takes longer to import than most predictions

    _, index, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    n = len(sizes)
    if n < 2:
        raise ValueError("A bound needs at least 2 groups of rows. Got 1. Measure others as well.")
    means = np.bincount(index, logs) / sizes
    within = np.bincount(index, (logs - means[index]) ** 2) / sizes
    variance = np.var(means, ddof=1) + within.mean()
    freedom = _freedom(means, np.bincount(index, seen) / sizes)
    width = stdtrit(freedom, confidence) * np.sqrt(variance * (1 + 1 / n))
    middle = means.mean()
    return float(min(logs[0], middle - width)), float(max(logs[-1], middle + width))


def _freedom(unseen: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of the errors of groups, at most the number of groups less one.

    The mean error takes one besides those of the model. A model that repeats what it was fitted to
    tells nothing about its parameters, and keeps two.

    Args:
        unseen: The mean error of each group without it in the fit, as a logarithm, shape (groups,).
        seen: The same with it.
    """
    n = len(unseen)
    if not unseen.any():
        return n - 1
    share = float(np.sqrt(seen @ seen / (unseen @ unseen)))
    return min(n - 1, max(_LEAST_FREEDOM, n * share - 1))


def group_weights(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return one over the number of rows of each row's group, shape (rows,)."""
    _, index, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1 / sizes[index]
    return weights


def block_coverage(
    ratios: ArrayLike,
    confidence: float,
    *,
    groups: ArrayLike | None = None,
    fitted: ArrayLike | None = None,
    n_blocks: int = 10,
) -> float | None:
    """Return the share of rows that lie under the upper bound from the rest of the log.

    Blocks of neighbouring rows are held out in turn. So the share is lower than the confidence
    when the machine drifted while the log was measured. A group is held out as a whole, and all
    groups count the same.

    Args:
        ratios: The actual over the predicted latency in the order of the log, shape (rows,).
        confidence: The confidence of the upper bound.
        groups: The group of every row, shape (rows,); None when each row is a group by itself.
        fitted: The same ratios of the model that was fitted to all rows, see `ratio_bounds`.
        n_blocks: The number of blocks.

    Returns:
        A share in [0, 1], or None when the rows without a block are too few for the confidence.
    """
    values = np.asarray(ratios, dtype=np.float64)
    codes = np.arange(len(values)) if groups is None else np.asarray(groups)
    seen = values if fitted is None else np.asarray(fitted, dtype=np.float64)
    names, first = np.unique(codes, return_index=True)
    covered = np.zeros(len(values))
    for block in np.array_split(names[np.argsort(first)], min(n_blocks, len(names))):
        is_out = np.isin(codes, block)
        rest = ~is_out
        if np.count_nonzero(rest) < least_rows(confidence) or len(names) - len(block) < 2:
            return None
        _, upper = ratio_bounds(values[rest], confidence, codes[rest], fitted=seen[rest])
        covered[is_out] = values[is_out] <= upper
    return float(covered @ group_weights(codes)) / len(names)


def left_out_coverage(
    ratios: ArrayLike, confidence: float, groups: ArrayLike | None = None
) -> float | None:
    """Return the share of rows that lie under the upper bound from all other rows.

    This is `block_coverage` with as many blocks as rows, but the ratios are sorted only once.
    Without a row, the k-th smallest of the other ratios is the k-th of all, or the one after it
    when the row is among the first k.

    Args:
        ratios: The actual over the predicted latency, shape (rows,).
        confidence: The confidence of the upper bound.
        groups: The group of every row, shape (rows,), each of which is then left out as a whole;
            None when each row is a group by itself.

    Returns:
        A share in [0, 1], or None when the rows less one are too few for the confidence.
    """
    if groups is not None:
        n_groups = len(np.unique(groups))
        return block_coverage(ratios, confidence, groups=groups, n_blocks=n_groups)
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
