"""This module computes the learning rate of an update, as a share of its peak."""

from math import cos, pi, sqrt

from automoe.settings.training import TrainingSettings

_FLOOR = 1e-4  # the paper ends at 1e-7 with a peak of 1e-3


def rate_factor(update: int, settings: TrainingSettings) -> float:
    """Return the share of the peak for an update, counted from 0.

    The share rises linearly during the warm-up. Then the cosine falls from 1 to 1e-4 over all other
    updates (Loshchilov and Hutter, 2017, one period). The inverse square root is that of Vaswani
    et al., 2017, scaled to 1 at its peak.
    """
    warmup = settings.warmup_updates
    if update < warmup:
        return (update + 1) / warmup
    if settings.schedule == "inverse-sqrt":
        return sqrt(max(warmup, 1) / (update + 1))
    falling = max(settings.updates - warmup, 1)
    done = min((update - warmup) / falling, 1.0)
    return _FLOOR + (1 - _FLOOR) * (1 + cos(pi * done)) / 2
