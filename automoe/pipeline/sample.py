"""What the first stage measures, and how."""

from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.pipeline.config import RunConfig
from profilers import Protocol


def profiled_architectures(config: RunConfig, space: SearchSpace) -> list[Architecture]:
    """The corners of the space first, so that the predictor has seen its range."""
    rng = Random(f"profile {config.seed}")
    wanted = config.profile.architectures
    corners = (space.smallest(), space.largest(experts=1), space.largest())
    drawn = (space.sample(rng) for _ in range(100 * wanted))
    distinct: dict[Architecture, None] = dict.fromkeys(corners)
    for architecture in drawn:
        if len(distinct) >= wanted:
            break
        distinct[architecture] = None
    return list(distinct)


def profile_protocol(config: RunConfig) -> Protocol:
    """How precisely the run measures them."""
    make = Protocol.fast if config.profile.fast else Protocol
    return make(threads=config.profile.threads, seed=config.seed)
