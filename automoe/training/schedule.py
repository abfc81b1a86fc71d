"""Learning rate over updates, as a share of its peak."""

from math import cos, pi, sqrt

from automoe.settings.training import TrainingSettings

_FLOOR = 1e-4  # the paper ends at 1e-7 with a peak of 1e-3


def rate_factor(update: int, settings: TrainingSettings) -> float:
    """The factor for an update counted from 0: linear warm-up, then cosine or inverse square root.

    Cosine falls from 1 to 1e-4 over the updates after the warm-up (Loshchilov and Hutter, 2017,
    one period); the inverse square root is that of Vaswani et al., 2017, scaled to 1 at its peak.
    """
    warmup = settings.warmup_updates
    if update < warmup:
        return (update + 1) / warmup
    if settings.schedule == "inverse-sqrt":
        return sqrt(max(warmup, 1) / (update + 1))
    falling = max(settings.updates - warmup, 1)
    done = min((update - warmup) / falling, 1.0)
    return _FLOOR + (1 - _FLOOR) * (1 + cos(pi * done)) / 2
