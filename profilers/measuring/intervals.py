"""This module computes intervals, spreads and tails of measured times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, log1p, sqrt
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

SAMPLES_FOR_TAIL = {90: 64, 95: 130, 99: 662}
_CLOCK_MS = 1e-6  # the clock that times samples counts nanoseconds
_OF_MEDIAN = 1.2533 * 1.4826  # deviation of a median of normal noise, over MAD / sqrt(samples)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of the times.

    Attributes:
        low: The lower end.
        high: The upper end.
        center: The geometric mean of the blocks, which lies between the ends.
    """

    low: float
    high: float
    center: float


def median_interval(
    block_medians_ms: Sequence[float],
    *,
    confidence: float = 0.95,
    looks: int = 1,
    sampling_error: float = 0.0,
) -> Interval:
    """Return the interval in which the median latency lies, from medians of independent blocks.

    With y_i = log(median of block i), n blocks, and v their variance, it is
    exp(mean(y) +- t_{n-1, (1+confidence)/2} * sqrt(v / n)) (Student 1908; blocks are the unit of
    replication after Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time").
    The logarithm is used because disturbances multiply times. The formula assumes independent
    blocks. That is why each block comes from its own process.

    When a rule takes blocks until the interval is narrow, it stops too early when the first
    blocks agree by chance. So the interval is computed for a higher confidence: the part that may
    be missed, 1 - confidence, is divided by the cube root of the number of looks, and with more
    than one look at least by 1 / 0.7. When the logarithms are independent and
    scatter normally, however much, at least 94 % of the intervals hold the median then, for a
    confidence of 0.95. Heavier tails raise that share. Other noise may lower it; examples are in
    ``benchmarks/bench_interval_coverage.py``.

    Few blocks may agree by chance, even exactly. So each end is at least as far from the center as
    the samples within the blocks let expect, and half a step of the clock.

    Args:
        block_medians_ms: The median of each block, in milliseconds.
        confidence: The coverage of the interval, between 0 and 1.
        looks: How many times at most a rule looks at the interval to decide whether to stop.
        sampling_error: The standard deviation of the logarithm of a block's median, as its own
            samples show it, see `sampling_error_of`.

    Raises:
        ValueError: There are fewer than two blocks, a median is not positive, `confidence` is
            outside (0, 1), or `looks` is less than 1.
    """
    # Each process of a simulated device imports this module. SciPy would be a third of its start.
    from scipy.special import ndtri, stdtrit

    _require_blocks(block_medians_ms, confidence)
    if looks < 1:
        raise ValueError(f"'looks' must be at least 1. Got {looks}.")
    n, center = len(block_medians_ms), center_of(block_medians_ms)
    squares = sum(log(block_ms / center) ** 2 for block_ms in block_medians_ms)
    missed = (1 - confidence) * (1.0 if looks == 1 else min(0.7, looks ** (-1 / 3)))
    by_blocks = float(stdtrit(n - 1, 1 - missed / 2)) * sqrt(squares / (n - 1) / n)
    by_samples = float(ndtri(1 - missed / 2)) * sampling_error / sqrt(n)
    half = max(by_blocks, by_samples, log1p(_CLOCK_MS / 2 / center))
    return Interval(low=center * exp(-half), high=center * exp(half), center=center)


def center_of(block_medians_ms: Iterable[float]) -> float:
    """Return the geometric mean of times over blocks. It is exact when all of them are equal.

    It is 0 when one of them is 0, as a call may be on a simulated device.
    """
    times_ms = list(block_medians_ms)
    if min(times_ms) <= 0:
        return 0.0
    return times_ms[0] * exp(fmean(log(time_ms / times_ms[0]) for time_ms in times_ms))


def sampling_error_of(blocks_ms: Sequence[Sequence[float]]) -> float:
    """Return the standard deviation of log(median of a block) that the scatter of samples causes.

    It is the root mean square over the blocks. A block's median cannot be known better than its own
    independent samples tell.

    Args:
        blocks_ms: The samples of each block, at least one, above 0.
    """
    shares = [median_absolute_deviation(x) / float(np.median(x)) / sqrt(len(x)) for x in blocks_ms]
    return _OF_MEDIAN * sqrt(fmean(share**2 for share in shares))


def _require_blocks(block_medians_ms: Sequence[float], confidence: float) -> None:
    if len(block_medians_ms) < 2:
        raise ValueError(
            f"'block_medians_ms' must hold at least 2 blocks. Got {len(block_medians_ms)}. "
            f"Measure more rounds."
        )
    if min(block_medians_ms) <= 0:
        raise ValueError(f"'block_medians_ms' must be positive. Got {min(block_medians_ms)}.")
    if not 0 < confidence < 1:
        raise ValueError(f"'confidence' must be in (0, 1). Got {confidence}.")


def relative_half_width(interval: Interval) -> float:
    """Return the distance of the upper end from the center, as a share of the center."""
    return interval.high / interval.center - 1


def median_absolute_deviation(samples: Sequence[float]) -> float:
    """Return the median distance from the median, in the samples' unit and without scaling."""
    values = np.asarray(samples, dtype=np.float64)
    return float(np.median(np.abs(values - np.median(values))))


def tail_ms(samples: Sequence[float], percent: int) -> float | None:
    """Return a tail percentile, or None when there are too few samples.

    There are enough when the binomial test of MLPerf LoadGen's early stopping, at 99 %
    confidence, needs no more samples: 64 for the 90th, 130 for the 95th, 662 for the 99th.

    Args:
        samples: The samples in any order.
        percent: The percentile: 90, 95 or 99.
    """
    if len(samples) < SAMPLES_FOR_TAIL[percent]:
        return None
    return float(np.percentile(np.asarray(samples, dtype=np.float64), percent))


def lag1_correlation(series: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the correlation of each value with the one before it.

    It is near 0 for noise, and towards 1 for a drift. It is 0 when all values are equal.

    Raises:
        ValueError: There are fewer than three values.
    """
    if len(series) < 3:
        raise ValueError(f"'series' must hold at least 3 values. Got {len(series)}.")
    deviations = np.asarray(series, dtype=np.float64) - np.mean(series)
    power = float(deviations @ deviations)
    return float(deviations[1:] @ deviations[:-1]) / power if power > 0 else 0.0
