"""Draw distinct random architectures."""

from collections.abc import Iterable
from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace

_DRAWS_PER_ARCHITECTURE = 100  # until a space counts as exhausted


def draw_distinct(
    space: SearchSpace, n: int, seed: int | str, *, first: Iterable[Architecture] = ()
) -> list[Architecture]:
    """Return up to ``n`` distinct architectures: ``first``, then random ones.

    A larger ``n`` adds architectures at the end. There are fewer when the space has no more.
    """
    rng = Random(seed)
    distinct = dict.fromkeys(first)
    for _ in range(_DRAWS_PER_ARCHITECTURE * n):
        if len(distinct) >= n:
            break
        distinct[space.sample(rng)] = None
    return list(distinct)
