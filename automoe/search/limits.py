"""Check the limits that need no measurement: FLOPs, parameters and memory."""

from collections.abc import Callable

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import Cost
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.infeasible_budget import UnmetLimit
from automoe.settings.search import SearchSettings

# The quantity that each limit bounds. Only the memory includes the embeddings.
LIMITED: dict[str, Callable[[Cost], float]] = {
    "max_flops": lambda cost: cost.flops,
    "max_params": lambda cost: cost.params,
    "max_active_params": lambda cost: cost.active_params,
    "max_memory_mb": lambda cost: cost.weight_bytes / 1e6,
}


def is_limited(settings: SearchSettings) -> bool:
    """Return whether any limit is set."""
    return bool(_set_limits(settings))


def is_within_limits(
    architecture: Architecture, settings: SearchSettings, workload: TranslationWorkload
) -> bool:
    """Return whether an architecture keeps every limit that is set."""
    limits = _set_limits(settings)
    if not limits:  # counting takes time
        return True
    cost = workload.cost(architecture)
    return all(LIMITED[name](cost) <= limit for name, limit in limits.items())


def unmet_limits(
    space: SearchSpace, settings: SearchSettings, workload: TranslationWorkload
) -> dict[str, UnmetLimit]:
    """Return the limits that the smallest architecture exceeds, by their names."""
    cost = workload.cost(space.smallest())
    return {
        name: UnmetLimit(limit, LIMITED[name](cost))
        for name, limit in _set_limits(settings).items()
        if LIMITED[name](cost) > limit
    }


def _set_limits(settings: SearchSettings) -> dict[str, float]:
    values = {name: getattr(settings, name) for name in LIMITED}
    return {name: limit for name, limit in values.items() if limit is not None}
