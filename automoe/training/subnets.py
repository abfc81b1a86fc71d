"""This module chooses the subnets of an update, from its number alone, so that a run can resume."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Literal

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import cost
from automoe.architecture.space import SearchSpace
from automoe.settings.training import TrainingSettings

Subnets = tuple[Architecture | None, ...]
SubnetsOfUpdate = Callable[[int], Subnets]

_CANDIDATES = 16  # for one subnet of a certain size


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


def by_size(space: SearchSpace, seed: int, *, size: Literal["flops", "params"]) -> SubnetsOfUpdate:
    """Draw one subnet for each update, so that the sizes of all updates are uniform.

    Where every choice is uniform, most subnets are of a middle size. Here an update first draws a
    size, uniformly between those of the space's smallest and largest architecture. It then draws
    16 candidates and takes the one whose size is the nearest, the first of several. A candidate
    is the smallest or the largest architecture, with equal probability, in which each choice is
    redrawn with one probability, itself uniform between 0 and 1. All draws come from a generator
    that is seeded with the seed and the update.

    Args:
        space: The search space.
        seed: The seed of all draws.
        size: The FLOPs of the space's sentence, without the vocabulary projection; or the
            parameters, without the embeddings.
    """
    extremes = (space.smallest(), space.largest())

    def size_of(architecture: Architecture) -> float:
        costs = cost(architecture, src_len=space.src_len, tgt_len=space.tgt_len)
        return costs.flops if size == "flops" else costs.params

    low, high = map(size_of, extremes)

    def subnets(update: int) -> Subnets:
        rng = _rng(seed, update)
        wanted = rng.uniform(low, high)
        candidates = [
            space.mutate(rng.choice(extremes), rng, probability=rng.random())
            for _ in range(_CANDIDATES)
        ]
        return (min(candidates, key=lambda candidate: abs(size_of(candidate) - wanted)),)

    return subnets


_SAMPLINGS: dict[str, Callable[[SearchSpace, int], SubnetsOfUpdate]] = {
    "uniform": uniform,
    "flops": partial(by_size, size="flops"),
    "params": partial(by_size, size="params"),
    "sandwich": sandwich,
}


def sampled(space: SearchSpace, settings: TrainingSettings) -> SubnetsOfUpdate:
    """Return the subnets of the updates of a supernet, as the settings sample them."""
    return _SAMPLINGS[settings.sampling](space, settings.seed)


def validated(space: SearchSpace, settings: TrainingSettings) -> dict[str, Architecture]:
    """Return the subnets that a validation reads beside the full shape, by name.

    They are the smallest one and random ones, which depend on the seed alone.
    """
    rng = Random(f"validated subnets {settings.seed}")
    drawn = (space.sample(rng) for _ in range(settings.validate_subnets))
    return {"smallest": space.smallest()} | {f"random {n}": x for n, x in enumerate(drawn, start=1)}


def _rng(seed: int, update: int) -> Random:
    return Random(f"subnet {seed} {update}")
