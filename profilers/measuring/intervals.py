"""This module computes intervals, spreads and tails of measured times."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

SAMPLES_FOR_TAIL = {90: 64, 95: 130, 99: 662}
_BORROWED_DOF = 4


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


@dataclass(frozen=True, slots=True)
class Spread:
    """The scatter of the logarithms of block medians about the mean of their own point.

    Attributes:
        squares: The sum of squared deviations.
        dof: The degrees of freedom: the number of blocks, less one per point.
    """

    squares: float = 0.0
    dof: int = 0

    @classmethod
    def of(cls, block_medians_ms: Sequence[float]) -> "Spread":
        """Return the spread of one point's blocks."""
        if len(block_medians_ms) < 2:
            return cls()
        logs = np.log(block_medians_ms)
        return cls(float(((logs - logs.mean()) ** 2).sum()), len(logs) - 1)

    def __add__(self, other: "Spread") -> "Spread":
        return Spread(self.squares + other.squares, self.dof + other.dof)


NO_SPREAD = Spread()


def median_interval(
    block_medians_ms: Sequence[float], *, confidence: float = 0.95, others: Spread = NO_SPREAD
) -> Interval:
    """Return the interval in which the median latency lies, from medians of independent blocks.

    With y_i = log(median of block i), n blocks, and v their variance, it is
    exp(mean(y) +- t_{d, (1+confidence)/2} * sqrt(v / n)) (Student 1908; blocks are the unit of
    replication after Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time").
    The logarithm is used because disturbances multiply times. The formula assumes independent
    blocks. That is why each block comes from its own process.

    Three blocks say little about v. The blocks of the session's other points say more. So their
    pooled variance v0 counts like up to 4 further degrees of freedom:
    v = (d0 v0 + (n-1) s^2) / (d0 + n-1) with d = d0 + n-1 (the moderated t of Smyth 2004, with
    a fixed prior weight). Without v0, a point could be finished because few blocks agree by
    chance. The interval is widened when it does not hold the median of the blocks.

    Args:
        block_medians_ms: The median of each block, in milliseconds.
        confidence: The coverage of the interval, between 0 and 1.
        others: The spread of other points that were measured in the same session.

    Raises:
        ValueError: There are fewer than two blocks, a median is not positive, or `confidence` is
            outside (0, 1).
    """
    # Each process of a simulated device imports this module. SciPy would be a third of its start.
    from scipy.special import stdtrit

    _require_blocks(block_medians_ms, confidence)
    own = Spread.of(block_medians_ms)
    borrowed = min(others.dof, _BORROWED_DOF)
    prior = borrowed * others.squares / others.dof if borrowed else 0.0
    dof = own.dof + borrowed
    scale = sqrt((prior + own.squares) / dof / len(block_medians_ms))
    half = float(stdtrit(dof, (1 + confidence) / 2)) * scale
    mean, middle = float(np.log(block_medians_ms).mean()), log(np.median(block_medians_ms))
    return Interval(
        low=exp(min(mean - half, middle)), high=exp(max(mean + half, middle)), center=exp(mean)
    )


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
