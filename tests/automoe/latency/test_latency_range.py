import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.infeasible_budget import InfeasibleBudgetError
from automoe.latency.latency_range import Feasibility, latency_range


def by_layers(architectures: Sequence[Architecture]) -> np.ndarray:
    return np.array([2.0 * len(a.decoder.layers) for a in architectures])


def test_the_range_of_a_space_whose_latency_is_known(tiny: SearchSpace) -> None:
    feasibility = latency_range(tiny, by_layers)
    assert (feasibility.lowest_ms, feasibility.highest_ms) == (2.0, 6.0)
    assert len(feasibility.fastest.decoder.layers) == 1


def test_the_fastest_need_not_be_the_smallest(tiny: SearchSpace) -> None:
    # Launches cost, width does not: the more heads the better.
    def fewer_heads_are_slower(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.array([100.0 - sum(x.heads for x in a.encoder.layers) for a in architectures])

    feasibility = latency_range(tiny, fewer_heads_are_slower)
    assert feasibility.lowest_ms == 100 - 3 * 4
    assert feasibility.fastest != tiny.smallest()


def test_the_refusal_names_a_budget_that_works(tiny: SearchSpace) -> None:
    feasibility = latency_range(tiny, lambda architectures: 1.23456 * by_layers(architectures))
    with pytest.raises(InfeasibleBudgetError, match=r"nearest feasible budget is 2\.47 ms"):
        feasibility.require(2.4, "tiny")
    feasibility.require(2.47, "tiny")


def test_the_smallest_is_found_when_every_part_costs(tiny: SearchSpace) -> None:
    def additive(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.array(
            [
                a.encoder.embed_dim
                + a.decoder.embed_dim
                + sum(sum(x.experts) + x.heads for x in a.encoder.layers)
                + sum(
                    sum(x.experts) + x.heads + x.cross_heads + x.cross_span
                    for x in a.decoder.layers
                )
                for a in architectures
            ],
            dtype=float,
        )

    feasibility = latency_range(tiny, additive)
    # Three encoder layers and one decoder layer, each 128 wide with two heads and one expert.
    assert feasibility.lowest_ms == 128 + 128 + 3 * (128 + 2) + (128 + 2 + 2 + 1)
    assert feasibility.fastest == tiny.smallest()
    assert (
        feasibility.lowest_ms
        < feasibility.median_ms
        < feasibility.highest_ms
        == additive([tiny.largest()])[0]
    )
    assert feasibility.slowest == tiny.largest()
    # Of 500 samples the median lies between the 250th and the 251st.
    assert additive([feasibility.typical])[0] == pytest.approx(feasibility.median_ms, rel=0.01)
    assert additive([feasibility.typical])[0] >= feasibility.median_ms
    assert feasibility.is_slack(feasibility.highest_ms)
    assert not feasibility.is_slack(feasibility.highest_ms - 1)


def test_a_survey_depends_on_its_seed_alone(tiny: SearchSpace) -> None:
    def scattered(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.array([1.0 + int(a.id, 16) % 1000 for a in architectures])

    assert latency_range(tiny, scattered, seed=1) == latency_range(tiny, scattered, seed=1)
    assert latency_range(tiny, scattered, seed=1) != latency_range(tiny, scattered, seed=2)


SMALLEST = SearchSpace.preset("tiny").smallest()


@given(lowest_ms=st.floats(1e-3, 1e6))
def test_the_budget_that_is_named_is_always_feasible(lowest_ms: float) -> None:
    feasibility = Feasibility(
        lowest_ms=lowest_ms,
        median_ms=2 * lowest_ms,
        highest_ms=3 * lowest_ms,
        fastest=SMALLEST,
        typical=SMALLEST,
        slowest=SMALLEST,
    )
    with pytest.raises(InfeasibleBudgetError) as refused:
        feasibility.require(lowest_ms / 2, "tiny")
    named = re.search(r"nearest feasible budget is (\S+) ms", str(refused.value))
    assert named
    feasibility.require(float(named[1]), "tiny")
    assert float(named[1]) <= 1.011 * lowest_ms


def test_what_does_not_keep_the_limits_is_no_nearest_budget(tiny: SearchSpace) -> None:
    def fewer_heads_are_slower(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.array([100.0 - sum(x.heads for x in a.encoder.layers) for a in architectures])

    smallest = tiny.smallest()
    feasibility = latency_range(tiny, fewer_heads_are_slower, keeps_limits=lambda a: a == smallest)
    assert feasibility.fastest == smallest
    assert feasibility.lowest_ms == 100 - 3 * 2
    assert feasibility.highest_ms == feasibility.lowest_ms
