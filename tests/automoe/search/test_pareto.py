from itertools import product
from typing import Any

import numpy as np
import pytest

from automoe.search import pareto


def points(n: int, seed: int, levels: int = 12) -> np.ndarray:
    """Random points with many ties."""
    return np.random.default_rng(seed).integers(0, levels, (n, 2)).astype(float)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_what_nothing_dominates(seed: int) -> None:
    some = points(40, seed)
    expected = {tuple(a) for a in some if not any(dominates(b, a) for b in some)}
    found = [tuple(some[i]) for i in pareto.front(some)]
    assert set(found) == expected
    assert len(found) == len(expected), "equal points are one trade-off"
    assert found == sorted(found)


@pytest.mark.parametrize("seed", range(5))
def test_a_rank_never_puts_the_dominated_first(seed: int) -> None:
    some = points(30, seed)
    order = list(pareto.ranked(some))
    assert sorted(order) == list(range(30))
    place = {point: n for n, point in enumerate(order)}
    for i, j in product(range(30), repeat=2):
        if dominates(some[i], some[j]):
            assert place[i] < place[j]


def test_crowding_by_hand() -> None:
    # Deb et al. 2002: the sides of the box between the neighbours, as shares of the span.
    front = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    found = pareto.crowding_distance(front)
    assert found[[0, 3]] == pytest.approx(np.inf)
    assert found[1] == pytest.approx((4 - 0) / 10 + (10 - 5) / 10)
    assert found[2] == pytest.approx((10 - 1) / 10 + (6 - 0) / 10)


@pytest.mark.parametrize("seed", range(10))
def test_the_hypervolume_is_the_dominated_share_of_a_grid(seed: int) -> None:
    some, reference = points(8, seed), np.array([10.0, 11.0])
    cells = [np.array([x, y]) + 0.5 for x, y in product(range(10), range(11))]
    dominated = sum(any((point <= cell).all() for point in some) for cell in cells)
    assert pareto.hypervolume(some, reference) == pytest.approx(dominated)


@pytest.mark.parametrize("beyond", [np.empty((0, 2)), np.array([[5.0, 1.0], [1.0, 5.0]])])
def test_nothing_within_the_reference_is_no_volume(beyond: Any) -> None:
    assert pareto.hypervolume(beyond, np.array([5.0, 5.0])) == 0
