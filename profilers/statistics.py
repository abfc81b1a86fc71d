"""Intervals and drift of block medians. Everything is a function of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of what it was computed from.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        center: The geometric mean of the blocks, between the two.
    """

    low: float
    high: float
    center: float


def median_interval(block_medians_ms: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """The interval in which the median latency lies, from the medians of independent blocks.

    With y_i = log(median of block i), n blocks and sample standard deviation s:
    exp(mean(y) +- t_{n-1, (1+confidence)/2} * s / sqrt(n)) (Student 1908; blocks as the unit of
    replication after Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time").
    The logarithm makes it a statement about ratios, which is how disturbances act. It assumes
    independent blocks, which is why each comes from a process of its own.

    Args:
        block_medians_ms: One median per block, in milliseconds.
        confidence: Coverage, between 0 and 1.

    Raises:
        ValueError: Fewer than two blocks, a median that is not positive, or a `confidence`
            outside (0, 1).
    """
    if len(block_medians_ms) < 2:
        raise ValueError(
            f"'block_medians_ms' must hold at least 2 blocks. Got {len(block_medians_ms)}. "
            f"Measure more rounds."
        )
    if min(block_medians_ms) <= 0:
        raise ValueError(f"'block_medians_ms' must be positive. Got {min(block_medians_ms)}.")
    if not 0 < confidence < 1:
        raise ValueError(f"'confidence' must be in (0, 1). Got {confidence}.")
    logs = np.log(block_medians_ms)
    mean, n = float(logs.mean()), len(logs)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(logs.std(ddof=1)) / sqrt(n)
    return Interval(low=exp(mean - half), high=exp(mean + half), center=exp(mean))


def relative_half_width(interval: Interval) -> float:
    """How far the upper bound lies above the center, as a share of the center."""
    return interval.high / interval.center - 1


def median_absolute_deviation(samples: Sequence[float]) -> float:
    """The median distance from the median, in the samples' unit and without any scaling."""
    values = np.asarray(samples, dtype=np.float64)
    return float(np.median(np.abs(values - np.median(values))))


def lag1_correlation(series: Sequence[float]) -> float:
    """How much each value resembles the one before it: 0 for noise, towards 1 for a drift.

    Raises:
        ValueError: Fewer than three values.
    """
    if len(series) < 3:
        raise ValueError(f"'series' must hold at least 3 values. Got {len(series)}.")
    deviations = np.asarray(series, dtype=np.float64) - np.mean(series)
    power = float(deviations @ deviations)
    return float(deviations[1:] @ deviations[:-1]) / power if power > 0 else 0.0
