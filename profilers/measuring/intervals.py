"""Intervals, spread and tails of measured times. Everything is a function of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

SAMPLES_FOR_TAIL = {90: 64, 95: 130, 99: 662}
_BORROWED_DOF = 4


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


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the logarithms of block medians scatter about the mean of their own point.

    Attributes:
        squares: Sum of squared deviations.
        dof: Degrees of freedom: blocks, less one per point.
    """

    squares: float = 0.0
    dof: int = 0

    @classmethod
    def of(cls, block_medians_ms: Sequence[float]) -> "Spread":
        """The spread of one point's blocks."""
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
    """The interval in which the median latency lies, from the medians of independent blocks.

    With y_i = log(median of block i), n blocks, and v their variance:
    exp(mean(y) +- t_{d, (1+confidence)/2} * sqrt(v / n)) (Student 1908; blocks as the unit of
    replication after Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time").
    The logarithm makes it a statement about ratios, which is how disturbances act. It assumes
    independent blocks, which is why each comes from a process of its own.

    Three blocks say little about v. Blocks of the session's other points say more, so their
    pooled variance v0 counts like up to 4 further degrees of freedom:
    v = (d0 v0 + (n-1) s^2) / (d0 + n-1) with d = d0 + n-1 (the moderated t of Smyth 2004, with
    a fixed prior weight). That also keeps a point from stopping because few blocks happen to
    agree. The interval is widened, where need be, to hold the median of the blocks.

    Args:
        block_medians_ms: One median per block, in milliseconds.
        confidence: Coverage, between 0 and 1.
        others: The spread of other points measured in the same session.

    Raises:
        ValueError: Fewer than two blocks, a median that is not positive, or a `confidence`
            outside (0, 1).
    """
    # Each process of a simulated device imports this module, and SciPy is a third of its start.
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
        low=exp(min(mean - half, middle)),
        high=exp(max(mean + half, middle)),
        center=exp(mean),
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
    """How far the upper bound lies above the center, as a share of the center."""
    return interval.high / interval.center - 1


def median_absolute_deviation(samples: Sequence[float]) -> float:
    """The median distance from the median, in the samples' unit and without any scaling."""
    values = np.asarray(samples, dtype=np.float64)
    return float(np.median(np.abs(values - np.median(values))))


def tail_ms(samples: Sequence[float], percent: int) -> float | None:
    """A tail percentile, or None when there are too few samples to state one.

    The percentile is stated once the binomial test of MLPerf LoadGen's early stopping, at 99 %
    confidence, needs no more samples: 64 for the 90th, 130 for the 95th, 662 for the 99th.

    Args:
        samples: In any order.
        percent: 90, 95 or 99.
    """
    if len(samples) < SAMPLES_FOR_TAIL[percent]:
        return None
    return float(np.percentile(np.asarray(samples, dtype=np.float64), percent))


def lag1_correlation(series: Sequence[float] | NDArray[np.float64]) -> float:
    """How much each value resembles the one before it: 0 for noise, towards 1 for a drift.

    Raises:
        ValueError: Fewer than three values.
    """
    if len(series) < 3:
        raise ValueError(f"'series' must hold at least 3 values. Got {len(series)}.")
    deviations = np.asarray(series, dtype=np.float64) - np.mean(series)
    power = float(deviations @ deviations)
    return float(deviations[1:] @ deviations[:-1]) / power if power > 0 else 0.0
