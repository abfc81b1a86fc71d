import socket
from pathlib import Path
from random import Random
from typing import Never

import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search import Evaluator, FitnessCache, Workers
from automoe.search.fitness import evaluator as evaluator_module
from automoe.search.fitness.evaluator import OtherFilesError
from automoe.search.workers.cluster import Cluster
from automoe.text import CorpusError


@pytest.fixture
def some(space: SearchSpace) -> list[Architecture]:
    rng = Random(0)
    return list(dict.fromkeys(space.sample(rng) for _ in range(8)))


class Counted:
    """A fitness that is the architecture's place in a list, and counts its calls."""

    def __init__(self, known: list[Architecture], digest: str, sign: int = 1) -> None:
        self.digest, self.asked = digest, 0
        self._known, self._sign = known, sign

    def __call__(self, architecture: Architecture) -> float:
        self.asked += 1
        return float(self._sign * self._known.index(architecture))


def test_values_come_in_the_order_asked(some: list[Architecture]) -> None:
    seen: list[float | None] = []
    found = Evaluator(Counted(some, "a"))(some[::-1], seen.append)
    assert list(found.items()) == [(a, float(some.index(a))) for a in some[::-1]]
    assert seen == list(found.values())


def test_nothing_is_evaluated_twice(some: list[Architecture], tmp_path: Path) -> None:
    fitness = Counted(some, "a")
    Evaluator(fitness, cache=FitnessCache(tmp_path / "f"))(some[:5])
    found = Evaluator(fitness, cache=FitnessCache(tmp_path / "f"))(some)
    assert fitness.asked == len(some)
    assert found == {a: float(n) for n, a in enumerate(some)}


def test_another_fitness_does_not_take_its_values(some: list[Architecture], tmp_path: Path) -> None:
    cache = FitnessCache(tmp_path / "f")
    Evaluator(Counted(some, "a"), cache=cache)(some)
    found = Evaluator(Counted(some, "b", sign=-1), cache=cache)(some)
    assert found == {a: -float(n) for n, a in enumerate(some)}


def test_what_was_evaluated_before_a_failure_is_kept(
    some: list[Architecture], tmp_path: Path
) -> None:
    class Stops(Counted):
        def __call__(self, architecture: Architecture) -> float:
            if architecture == some[3]:
                raise KeyboardInterrupt
            return 1.0

    stops = Stops(some, "a")

    with pytest.raises(KeyboardInterrupt):
        Evaluator(stops, cache=FitnessCache(tmp_path / "f"))(some)
    kept = FitnessCache(tmp_path / "f")
    assert [kept.get("a", a.id) for a in some] == [*[1.0] * 3, *[None] * (len(some) - 3)]


def test_values_of_a_function_that_may_change_are_not_kept(
    some: list[Architecture], tmp_path: Path
) -> None:
    asked: list[Architecture] = []

    def fitness(architecture: Architecture) -> float:
        asked.append(architecture)
        return 1.0

    first = Evaluator(fitness, cache=FitnessCache(tmp_path / "f"))
    first(some)
    first(some)
    assert len(asked) == len(some)
    Evaluator(lambda a: 2.0, cache=FitnessCache(tmp_path / "f"))(some)
    assert not (tmp_path / "f").exists()


def test_halving_keeps_the_better_half_each_time(some: list[Architecture]) -> None:
    # The first stage likes the end of the list, the second its beginning.
    stages = [Counted(some, "quarter", sign=-1), Counted(some, "half"), Counted(some, "all")]
    seen: list[float | None] = []
    found = Evaluator(*stages)(some, seen.append)
    assert [stage.asked for stage in stages] == [8, 4, 2]
    assert {a: loss for a, loss in found.items() if loss is not None} == {
        some[4]: 4.0,
        some[5]: 5.0,
    }
    assert list(found) == some
    assert len(seen) == 8


def test_a_search_without_a_fitness_is_refused() -> None:
    with pytest.raises(ValueError, match="'fitness' must be given at least once"):
        Evaluator()


class OtherThere:
    """A fitness whose digest is another one when a worker asks for it, after the evaluator."""

    def __init__(self, there: str | Exception) -> None:
        self._said = iter(["here", there])

    @property
    def digest(self) -> str:
        said = next(self._said)
        if isinstance(said, Exception):
            raise said
        return said

    def __call__(self, architecture: Architecture) -> float:
        raise AssertionError("computed from other files")


@pytest.mark.parametrize(
    "there", ["an older copy", FileNotFoundError("weights"), CorpusError("no valid.en")]
)
def test_a_node_with_other_files_is_refused_by_its_name(
    there: str | Exception, some: list[Architecture], tmp_path: Path
) -> None:
    evaluator = Evaluator(OtherThere(there), cache=FitnessCache(tmp_path / "f"))
    with pytest.raises(OtherFilesError, match=f"on host '{socket.gethostname()}' would be of"):
        evaluator(some)
    assert not (tmp_path / "f").exists()


def test_weights_that_change_in_the_middle_of_a_search_are_not_ranked_with_the_old(
    some: list[Architecture],
) -> None:
    fitness = Counted(some, "before")
    evaluator = Evaluator(fitness)
    evaluator(some[:4])
    fitness.digest = "after"
    with pytest.raises(OtherFilesError, match="search again if they changed"):
        evaluator(some[4:])
    assert fitness.asked == 4


def test_what_halving_drops_is_told_without_its_loss_on_less_text(
    some: list[Architecture],
) -> None:
    seen: list[float | None] = []
    Evaluator(Counted(some, "half"), Counted(some, "all"))(some, seen.append)
    n_kept = -(-len(some) // 2)
    assert seen == [*[None] * (len(some) - n_kept), *map(float, range(n_kept))]


def test_the_time_of_one_is_told_before_most_are_evaluated(
    space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(2)
    many = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    clock = iter(range(10_000))
    monkeypatch.setattr(evaluator_module, "monotonic", lambda: 0.25 * next(clock))
    half, whole = Counted(many, "half"), Counted(many, "whole")
    told: list[tuple[float, int]] = []
    evaluator = Evaluator(half, whole, on_timed=lambda each_s: told.append((each_s, half.asked)))
    evaluated = evaluator(many)
    # Each stage takes a quarter of a second, and every second architecture reaches the last one.
    assert told == [(0.25 + 0.125, 4)]
    assert half.asked == len(many)
    assert evaluated == Evaluator(Counted(many, "half"), Counted(many, "whole"))(many)
    assert evaluator(many) == evaluated
    assert len(told) == 1


def test_slow_evaluations_are_timed_only_once(
    space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(2)
    many = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    clock = iter(range(10_000))
    monkeypatch.setattr(evaluator_module, "monotonic", lambda: 60.0 * next(clock))
    fitness = Counted(many, "slow")
    told: list[tuple[float, int]] = []
    Evaluator(fitness, on_timed=lambda each_s: told.append((each_s, fitness.asked)))(many)
    assert told == [(60.0, 2)]  # the first one reads the files, and its time does not count


def test_what_is_known_is_not_timed(some: list[Architecture]) -> None:
    cache = FitnessCache()
    Evaluator(Counted(some, "a"), cache=cache)(some[:-3])
    told: list[float] = []
    again = Counted(some, "a")
    Evaluator(again, cache=cache, on_timed=told.append)(some)
    assert again.asked == 3
    assert told == []


def test_timing_needs_no_worker(space: SearchSpace) -> None:
    class Refused:
        def __call__(self, call: object) -> Never:
            raise AssertionError("a worker was asked")

    rng = Random(2)
    many = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    elsewhere = Workers(Cluster(Refused(), 3, ()))

    def stop(each_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Evaluator(Counted(many, "a"), workers=elsewhere, on_timed=stop)(many)
