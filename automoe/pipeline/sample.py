"""Choose the architectures that the first stage measures."""

from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.pipeline.config import RunConfig


def profiled_architectures(config: RunConfig, space: SearchSpace) -> list[Architecture]:
    """Return the corners of the space, so that the log has its range, and then random ones."""
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
