"""This module follows the machine's level in a session by the sentinel, and corrects for it."""

from collections.abc import Sequence
from math import exp, log
from statistics import mean, median


class SentinelTrack:
    """The sentinel's level around every block of a session.

    A change of the machine changes the times of the sentinel and of the point in the same way.
    Noise of the sentinel does not change the point's times. So only a share of the sentinel's
    movement is corrected. It is estimated from the sentinel alone, as in shrinkage: with m the log
    of a pair's geometric mean over the reference and d the log of the pair's ratio, it is
    ``share = 1 - (mean(d ** 2) / 4) / mean(m ** 2)``, and at least zero. Two consecutive readings
    differ only by noise, so ``mean(d ** 2) / 4`` is the noise in m. The points' own times are not
    used, so that the correction cannot make them agree better than they do.

    Args:
        reference_ms: The level to correct to, when an earlier session has set it. Otherwise it
            is the median of the readings until ``settle`` is called.
    """

    def __init__(self, reference_ms: float | None = None) -> None:
        self._reference_ms = reference_ms
        self._pairs: list[tuple[float, float]] = []
        self._share: float | None = None  # kept, because every block needs a sum over all pairs

    def add(self, before_ms: float, after_ms: float) -> None:
        """Add the readings just before and just after a group of samples."""
        self._pairs.append((before_ms, after_ms))
        self._share = None

    def settle(self) -> float:
        """Fix the reference at its present value, and return it."""
        self._reference_ms = self.reference_ms
        self._share = None
        return self._reference_ms

    @property
    def reference_ms(self) -> float:
        """The level to which latencies are corrected."""
        if self._reference_ms is not None:
            return self._reference_ms
        return median(reading for pair in self._pairs for reading in pair)

    @property
    def share(self) -> float:
        """The share of the sentinel's movement that is the machine's drift, in [0, 1]."""
        if self._share is None:
            self._share = self._estimated_share()
        return self._share

    def corrections(self, pairs: Sequence[tuple[float, float]]) -> list[float]:
        """Return the factors that correct the times measured between these pairs of readings."""
        share, reference_ms = self.share, self.reference_ms
        return [exp(-share * _level(pair, reference_ms)) for pair in pairs]

    def _estimated_share(self) -> float:
        if not self._pairs:
            return 0.0
        reference_ms = self.reference_ms
        moved = mean(_level(pair, reference_ms) ** 2 for pair in self._pairs)
        noise = mean(log(after / before) ** 2 for before, after in self._pairs) / 4
        return max(0.0, 1 - noise / moved) if moved > 0 else 0.0


def _level(pair: tuple[float, float], reference_ms: float) -> float:
    return (log(pair[0]) + log(pair[1])) / 2 - log(reference_ms)
