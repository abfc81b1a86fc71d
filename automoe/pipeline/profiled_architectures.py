"""Choose the architectures that the first stage measures."""

from automoe.architecture.architecture import Architecture
from automoe.architecture.sampling import draw_distinct
from automoe.architecture.space import SearchSpace
from automoe.pipeline.config import RunConfig


def profiled_architectures(config: RunConfig, space: SearchSpace) -> list[Architecture]:
    """Return the corners of the space, so that the log has its range, and then random ones."""
    corners = (space.smallest(), space.largest(experts=1), space.largest())
    n = config.profile.architectures
    return draw_distinct(space, n, f"profile {config.seed}", first=corners)
