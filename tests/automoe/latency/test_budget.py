import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.budget import Feasibility, InfeasibleBudgetError, survey


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


def test_the_smallest_is_found_when_every_part_costs(tiny: SearchSpace) -> None:
    def additive(some: Sequence[Architecture]) -> np.ndarray:
        return np.array(
            [
                a.encoder.embed_dim
                + a.decoder.embed_dim
                + sum(sum(x.experts) + x.heads for x in a.encoder.layers)
                + sum(
                    sum(x.experts) + x.heads + x.cross_heads + x.cross_span
                    for x in a.decoder.layers
                )
                for a in some
            ],
            dtype=float,
        )

    found = survey(tiny, additive)
    # Three encoder layers and one decoder layer, each 128 wide with two heads and one expert.
    assert found.lowest_ms == 128 + 128 + 3 * (128 + 2) + (128 + 2 + 2 + 1)
    assert found.fastest == tiny.smallest()
    assert found.lowest_ms < found.median_ms < found.highest_ms == additive([tiny.largest()])[0]
    assert found.slowest == tiny.largest()
    # Of 500 samples the median lies between the 250th and the 251st.
    assert additive([found.typical])[0] == pytest.approx(found.median_ms, rel=0.01)
    assert additive([found.typical])[0] >= found.median_ms
    assert found.is_slack(found.highest_ms)
    assert not found.is_slack(found.highest_ms - 1)


def test_a_survey_depends_on_its_seed_alone(tiny: SearchSpace) -> None:
    def scattered(some: Sequence[Architecture]) -> np.ndarray:
        return np.array([1.0 + int(a.id, 16) % 1000 for a in some])

    assert survey(tiny, scattered, seed=1) == survey(tiny, scattered, seed=1)
    assert survey(tiny, scattered, seed=1) != survey(tiny, scattered, seed=2)


SMALLEST = SearchSpace.preset("tiny").smallest()


@given(lowest_ms=st.floats(1e-3, 1e6))
def test_the_budget_that_is_named_is_always_feasible(lowest_ms: float) -> None:
    found = Feasibility(
        lowest_ms=lowest_ms,
        median_ms=2 * lowest_ms,
        highest_ms=3 * lowest_ms,
        fastest=SMALLEST,
        typical=SMALLEST,
        slowest=SMALLEST,
    )
    with pytest.raises(InfeasibleBudgetError) as refused:
        found.require(lowest_ms / 2, "tiny")
    named = re.search(r"nearest feasible budget is (\S+) ms", str(refused.value))
    assert named
    found.require(float(named[1]), "tiny")
    assert float(named[1]) <= 1.011 * lowest_ms


def test_what_does_not_keep_the_limits_is_no_nearest_budget(tiny: SearchSpace) -> None:
    def fewer_heads_are_slower(some: Sequence[Architecture]) -> np.ndarray:
        return np.array([100.0 - sum(x.heads for x in a.encoder.layers) for a in some])

    smallest = tiny.smallest()
    found = survey(tiny, fewer_heads_are_slower, keeps_limits=lambda a: a == smallest)
    assert found.fastest == smallest
    assert found.lowest_ms == 100 - 3 * 2
    assert found.highest_ms == found.lowest_ms
