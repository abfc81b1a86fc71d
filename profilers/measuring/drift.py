"""This module follows the machine's level in a session by the sentinel, and corrects for it."""

from collections.abc import Sequence
from math import sqrt
from statistics import median


class SentinelTrack:
    """The sentinel's level around every group of samples of a session.

    A change of the machine changes the times of the sentinel and of the point in the same way, so
    each sample is divided by the sentinel's level next to it. Noise of the sentinel is not taken
    off: an estimate of how much of its movement is noise differs among sessions by more than the
    noise itself (docs/adr/0022).

    Args:
        reference_ms: The level to correct to, when an earlier session has set it. Otherwise it
            is the median of the readings until ``settle`` is called.
    """

    def __init__(self, reference_ms: float | None = None) -> None:
        self._reference_ms = reference_ms
        self._readings_ms: list[float] = []

    def add(self, before_ms: float, after_ms: float) -> None:
        """Add the readings just before and just after a group of samples."""
        self._readings_ms += before_ms, after_ms

    def settle(self) -> None:
        """Fix the reference at its present value."""
        self._reference_ms = self.reference_ms

    @property
    def reference_ms(self) -> float:
        """The level to which latencies are corrected.

        Raises:
            statistics.StatisticsError: It was not given, and nothing was read yet.
        """
        if self._reference_ms is not None:
            return self._reference_ms
        return median(self._readings_ms)

    def corrections(self, pairs: Sequence[tuple[float, float]]) -> list[float]:
        """Return the factors that correct the times measured between these pairs of readings.

        The level between two readings is their geometric mean.
        """
        reference_ms = self.reference_ms
        return [reference_ms / sqrt(before_ms * after_ms) for before_ms, after_ms in pairs]
