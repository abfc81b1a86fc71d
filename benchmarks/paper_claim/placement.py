"""This module says where the winners have their experts, against random architectures."""

from collections.abc import Iterable
from random import Random
from statistics import mean

from paper_claim.findings import Findings

from automoe.architecture.architecture import Architecture

STACKS = ("encoder", "decoder")
_DRAWS = 2000

Experts = dict[str, dict[int, float]]


def winners_experts(findings: Findings) -> Experts:
    """Return the mean number of experts of each layer over the winners of sparse searches."""
    return _mean_experts(_winners(findings))


def drawn_experts(findings: Findings) -> Experts:
    """Return the same for random architectures of the space."""
    rng, space = Random("placement"), findings.config.space
    return _mean_experts(space.sample(rng) for _ in range(_DRAWS))


def widths(findings: Findings) -> dict[str, tuple[float, float]]:
    """Return for each stack the mean width of an expert: of the winners, and of random ones."""
    rng, space = Random("placement"), findings.config.space
    winners = _winners(findings)
    if not winners:
        return {}
    drawn = [space.sample(rng) for _ in range(_DRAWS)]
    return {stack: (_mean_width(winners, stack), _mean_width(drawn, stack)) for stack in STACKS}


def _winners(findings: Findings) -> list[Architecture]:
    methods = {
        method.name
        for method in findings.config.search.methods
        if method.kind != "dense" and not method.random
    }
    return [point.architecture for point in findings.front if point.method in methods]


def _mean_experts(architectures: Iterable[Architecture]) -> Experts:
    """Return the means over the architectures that have the layer."""
    counts: dict[str, dict[int, list[int]]] = {stack: {} for stack in STACKS}
    n = 0
    for architecture in architectures:
        n += 1
        for stack in STACKS:
            for place, layer in enumerate(getattr(architecture, stack).layers):
                counts[stack].setdefault(place, []).append(len(layer.experts))
    if not n:
        return {}
    return {
        stack: {place: mean(each) for place, each in sorted(by_layer.items())}
        for stack, by_layer in counts.items()
    }


def _mean_width(architectures: Iterable[Architecture], stack: str) -> float:
    return mean(
        width
        for architecture in architectures
        for layer in getattr(architecture, stack).layers
        for width in layer.experts
    )
