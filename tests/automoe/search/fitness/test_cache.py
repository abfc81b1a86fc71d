import os
from pathlib import Path
from random import Random

import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search import FitnessCache


@pytest.fixture
def some(space: SearchSpace) -> list[Architecture]:
    rng = Random(0)
    return [space.sample(rng) for _ in range(3)]


def test_values_outlive_the_process(some: list[Architecture], tmp_path: Path) -> None:
    path = tmp_path / "sub" / "fitness.jsonl"
    first = FitnessCache(path)
    assert first.get("a", some[0].id) is None
    first.put("a", some[0].id, 0.1 + 0.2)
    first.put("b", some[0].id, 4.0)
    again = FitnessCache(path)
    assert again.get("a", some[0].id) == 0.1 + 0.2
    assert again.get("b", some[0].id) == 4.0
    assert again.get("a", some[1].id) is None


@pytest.mark.parametrize("cut", [2, 20])
def test_a_line_cut_short_is_dropped_and_the_rest_kept(
    cut: int, some: list[Architecture], tmp_path: Path
) -> None:
    path = tmp_path / "fitness.jsonl"
    cache = FitnessCache(path)
    for n, architecture in enumerate(some[:2]):
        cache.put("a", architecture.id, float(n))
    os.truncate(path, path.stat().st_size - cut)
    again = FitnessCache(path)
    assert again.get("a", some[0].id) == 0.0
    assert again.get("a", some[1].id) is None
    again.put("a", some[2].id, 2.0)
    assert FitnessCache(path).get("a", some[2].id) == 2.0


def test_lines_that_are_no_entries_are_passed_over(
    some: list[Architecture], tmp_path: Path
) -> None:
    path = tmp_path / "fitness.jsonl"
    FitnessCache(path).put("a", some[0].id, 1.0)
    path.write_text("[]\n{}\nnot json\n" + path.read_text())
    assert FitnessCache(path).get("a", some[0].id) == 1.0


def test_without_a_file_it_remembers_all_the_same(some: list[Architecture]) -> None:
    cache = FitnessCache()
    cache.put("a", some[0].id, 1.0)
    assert cache.get("a", some[0].id) == 1.0
