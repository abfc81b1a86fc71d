"""This module decides how often something is sampled. All times are in milliseconds."""

from __future__ import annotations

from typing import Any, Dict, List


def samples_for(workload: Any, at_least_ms: float, most: int = 1000) -> List[Dict[str, Any]]:
    """Return samples in a row, until their time is up or there are enough.

    When many fit in, the first one only fills the caches and is left out.
    """
    first = workload.sample()
    samples = [first] if first["wall_ms"] * 10 >= at_least_ms else [workload.sample()]
    spent_ms = samples[0]["wall_ms"]
    while spent_ms < at_least_ms and len(samples) < most:
        samples.append(workload.sample())
        spent_ms += samples[-1]["wall_ms"]
    return samples


def median(values: List[float]) -> float:
    """Return the middle value, or the upper one of the two in the middle."""
    return sorted(values)[len(values) // 2]


def has_settled(runs_ms: List[float], tolerance: float) -> bool:
    """Return whether the last quarter of the runs is hardly faster than the one before it."""
    size = max(1, len(runs_ms) // 4)
    if len(runs_ms) < 2 * size:
        return False
    return median(runs_ms[-2 * size : -size]) <= (1 + tolerance) * median(runs_ms[-size:])
