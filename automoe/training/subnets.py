"""This module chooses the subnets of an update, from its number alone, so that a run can resume."""

from collections.abc import Callable
from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace

Subnets = tuple[Architecture | None, ...]
SubnetsOfUpdate = Callable[[int], Subnets]


def full_shape(update: int) -> Subnets:
    """Return the full shape of the model, which a stand-alone model trains in every update."""
    return (None,)


def uniform(space: SearchSpace, seed: int) -> SubnetsOfUpdate:
    """Draw one random subnet for each update, the same on every process, as in the paper."""
    return lambda update: (space.sample(_rng(seed, update)),)


def sandwich(space: SearchSpace, seed: int) -> SubnetsOfUpdate:
    """Choose the largest subnet, the smallest and two random ones (Yu et al., 2020, 3.1)."""
    largest, smallest = space.largest(), space.smallest()

    def subnets(update: int) -> Subnets:
        rng = _rng(seed, update)
        return (largest, smallest, space.sample(rng), space.sample(rng))

    return subnets


def _rng(seed: int, update: int) -> Random:
    return Random(f"subnet {seed} {update}")
