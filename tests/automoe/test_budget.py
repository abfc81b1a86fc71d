from collections.abc import Sequence

import numpy as np
import pytest

from automoe.architecture import Architecture
from automoe.budget import InfeasibleBudgetError, survey
from automoe.space import SearchSpace


def by_layers(some: Sequence[Architecture]) -> np.ndarray:
    return np.array([2.0 * len(a.decoder.layers) for a in some])


def test_the_range_of_a_space_whose_latency_is_known(tiny: SearchSpace) -> None:
    found = survey(tiny, by_layers)
    assert (found.lowest_ms, found.highest_ms) == (2.0, 6.0)
    assert len(found.fastest.decoder.layers) == 1


def test_the_fastest_need_not_be_the_smallest(tiny: SearchSpace) -> None:
    # Launches cost, width does not: the more heads the better.
    def fewer_heads_are_slower(some: Sequence[Architecture]) -> np.ndarray:
        return np.array([100.0 - sum(x.heads for x in a.encoder.layers) for a in some])

    found = survey(tiny, fewer_heads_are_slower)
    assert found.lowest_ms == 100 - 3 * 4
    assert found.fastest != tiny.smallest()


def test_the_refusal_names_a_budget_that_works(tiny: SearchSpace) -> None:
    found = survey(tiny, lambda some: 1.23456 * by_layers(some))
    with pytest.raises(InfeasibleBudgetError, match=r"nearest feasible budget is 2\.47 ms"):
        found.require(2.4, "tiny")
    found.require(2.47, "tiny")
