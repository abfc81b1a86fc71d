from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import cost
from automoe.architecture.space import SearchSpace
from automoe.training import (
    SubnetsOfUpdate,
    TrainingSettings,
    full_shape,
    sampled,
    sandwich,
    uniform,
)
from automoe.training.subnets import by_size, validated


def test_the_full_shape_is_always_the_model_itself() -> None:
    assert [full_shape(update) for update in range(3)] == [(None,)] * 3


def test_uniform_is_a_function_of_seed_and_update(space: SearchSpace) -> None:
    forwards, backwards = uniform(space, 1), uniform(space, 1)
    drawn = [forwards(update) for update in range(20)]
    assert drawn == [backwards(update) for update in reversed(range(20))][::-1]
    assert len(set(drawn)) > 10
    assert drawn != [uniform(space, 2)(update) for update in range(20)]


def test_uniform_draws_one_subnet_of_the_space(space: SearchSpace) -> None:
    for update in range(20):
        (subnet,) = uniform(space, 0)(update)
        assert subnet is not None
        space.check(subnet)


def test_a_sandwich_is_the_largest_the_smallest_and_two_random_ones(space: SearchSpace) -> None:
    of_update = sandwich(space, 3)
    drawn = [of_update(update) for update in range(20)]
    assert {subnets[:2] for subnets in drawn} == {(space.largest(), space.smallest())}
    assert {len(subnets) for subnets in drawn} == {4}
    assert len({subnets[2:] for subnets in drawn}) > 15
    assert any(left != right for _, _, left, right in drawn)
    assert drawn[::-1] == [of_update(update) for update in reversed(range(20))]
    assert drawn != [sandwich(space, 4)(update) for update in range(20)]


def shares_of_quarters(drawn: list[float], low: float, high: float) -> list[float]:
    """The share of draws in each quarter of the range between two sizes."""
    quarters = [min(int(4 * (size - low) / (high - low)), 3) for size in drawn]
    return [quarters.count(quarter) / len(drawn) for quarter in range(4)]


@pytest.mark.parametrize("size", ["flops", "params"])
def test_sizes_are_uniform_over_the_range_of_the_space(size: Literal["flops", "params"]) -> None:
    space = SearchSpace.preset("tiny", max_experts=4, fractional=True)

    def size_of(architecture: Architecture | None) -> float:
        assert architecture is not None
        costs = cost(architecture, src_len=space.src_len, tgt_len=space.tgt_len)
        return float(getattr(costs, size))

    low, high = size_of(space.smallest()), size_of(space.largest())
    shares = {}
    for name, of_update in (("size", by_size(space, 5, size=size)), ("uniform", uniform(space, 5))):
        drawn = [size_of(of_update(update)[0]) for update in range(600)]
        assert all(low <= each <= high for each in drawn)
        shares[name] = shares_of_quarters(drawn, low, high)
    # A share of 600 independent draws is within 0.06 of a quarter in all but one of 1000 cases.
    assert all(abs(share - 0.25) <= 0.06 for share in shares["size"]), shares
    assert max(shares["uniform"]) > 0.4


@pytest.mark.parametrize("size", ["flops", "params"])
def test_a_subnet_of_a_size_is_a_function_of_seed_and_update(
    space: SearchSpace, size: Literal["flops", "params"]
) -> None:
    forwards, backwards = (by_size(space, 1, size=size) for _ in range(2))
    drawn = [forwards(update) for update in range(20)]
    assert drawn == [backwards(update) for update in reversed(range(20))][::-1]
    assert drawn != [by_size(space, 2, size=size)(update) for update in range(20)]
    assert len(set(drawn)) > 15
    for (subnet,) in drawn:
        assert subnet is not None
        space.check(subnet)


@pytest.mark.parametrize(
    ("sampling", "of"),
    [
        ("uniform", uniform),
        ("sandwich", sandwich),
        ("flops", partial(by_size, size="flops")),
        ("params", partial(by_size, size="params")),
    ],
)
def test_the_settings_choose_the_sampling(
    sampling: str, of: Callable[[SearchSpace, int], SubnetsOfUpdate], space: SearchSpace
) -> None:
    settings = TrainingSettings.of(sampling=sampling, seed=7)
    drawn = [sampled(space, settings)(update) for update in range(5)]
    assert drawn == [of(space, 7)(update) for update in range(5)]


def test_the_validated_subnets_are_the_smallest_and_fixed_random_ones(space: SearchSpace) -> None:
    settings = TrainingSettings.of(validate_subnets=3, seed=1)
    subnets = validated(space, settings)
    assert list(subnets) == ["smallest", "random 1", "random 2", "random 3"]
    assert subnets["smallest"] == space.smallest()
    for subnet in subnets.values():
        space.check(subnet)
    assert subnets == validated(space, settings)
    assert subnets != validated(space, settings.model_copy(update={"seed": 2}))
    fewer = validated(space, settings.model_copy(update={"validate_subnets": 1}))
    assert fewer == {name: subnets[name] for name in ("smallest", "random 1")}
