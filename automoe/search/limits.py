"""Limits of a search that need no measurement: operations, parameters, memory."""

from collections.abc import Callable
from math import ceil

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import Cost
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.settings.search import SearchSettings

# What each limit bounds, with the embeddings in memory only.
LIMITED: dict[str, Callable[[Cost], float]] = {
    "max_flops": lambda cost: cost.flops,
    "max_params": lambda cost: cost.params,
    "max_active_params": lambda cost: cost.active_params,
    "max_memory_mb": lambda cost: cost.weight_bytes / 1e6,
}


def is_limited(settings: SearchSettings) -> bool:
    """Whether any limit is set."""
    return bool(_set_limits(settings))


def is_within_limits(
    architecture: Architecture, settings: SearchSettings, workload: TranslationWorkload
) -> bool:
    """Whether an architecture keeps every limit that is set."""
    limits = _set_limits(settings)
    if not limits:
        return True
    cost = workload.cost(architecture)
    return all(LIMITED[name](cost) <= limit for name, limit in limits.items())


def unmet_limits(
    space: SearchSpace, settings: SearchSettings, workload: TranslationWorkload
) -> str:
    """The limits that even the space's smallest architecture exceeds, and its figures; or ''."""
    cost = workload.cost(space.smallest())
    return "; ".join(
        f"'{name}' must be at least {_rounded_up(LIMITED[name](cost))}, what the smallest "
        f"architecture takes. Got {limit:g}"
        for name, limit in _set_limits(settings).items()
        if LIMITED[name](cost) > limit
    )


def _rounded_up(value: float) -> float:
    """Whole from a thousand up, else to a thousandth, and never below the value."""
    return ceil(value) if value >= 1000 else ceil(value * 1000) / 1000


def _set_limits(settings: SearchSettings) -> dict[str, float]:
    values = {name: getattr(settings, name) for name in LIMITED}
    return {name: limit for name, limit in values.items() if limit is not None}
