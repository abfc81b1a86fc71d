from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from automoe.architecture import Architecture
from automoe.search import Candidate, Measured, SearchSettings, verify
from automoe.space import SearchSpace

BUDGET_MS = 10.0


class Bench:
    """A device that answers from a table, two percent around each latency."""

    def __init__(self, latency_ms: dict[Architecture, float], slowness: float = 1.0) -> None:
        self.latency_ms = latency_ms
        self.slowness = slowness
        self.calls: list[list[Architecture]] = []

    def measure(
        self, architectures: Sequence[Architecture], on_progress: Any
    ) -> dict[Architecture, Measured]:
        self.calls.append(list(architectures))
        return {
            a: Measured(ms, 0.98 * ms, 1.02 * ms, self.slowness * ms, ())
            for a in architectures
            if (ms := self.latency_ms.get(a)) is not None
        }


@pytest.fixture
def candidates(space: SearchSpace) -> list[Candidate]:
    rng = Random(0)
    drawn = dict.fromkeys(space.sample(rng) for _ in range(12))
    return [
        Candidate(
            architecture=a, loss=float(i), generation=0, predicted_ms=9, lower_ms=8, upper_ms=10
        )
        for i, a in enumerate(drawn)
    ]


def check(
    candidates: list[Candidate],
    latencies_ms: Sequence[float | None],
    *,
    slowness: float = 1.0,
    **more: Any,
) -> Any:
    known = zip(candidates, latencies_ms, strict=False)
    bench = Bench({c.architecture: ms for c, ms in known if ms is not None}, slowness)
    settings = SearchSettings(budget_ms=BUDGET_MS, verify_top=3, verify_most=6)
    return verify(candidates, settings, bench=bench, **more), bench  # type: ignore[arg-type]


def test_the_first_that_fits_with_its_whole_interval_wins(candidates: list[Candidate]) -> None:
    # 9.9 ms fits, but its interval ends at 10.1.
    found, _ = check(candidates, [12, 9.9, 9.5])
    assert found.certified
    assert found.winner is candidates[2]
    assert "95 % interval 9.31 to 9.69 ms, within 10 ms" in found.reason


def test_what_fits_only_once_the_machines_drift_is_taken_back_is_not_certified(
    candidates: list[Candidate],
) -> None:
    # 9.5 ms on the machine as it was, 10.45 ms as it was seen.
    found, _ = check(candidates, [9.5, 9.0], slowness=1.1)
    assert found.certified
    assert found.winner is candidates[1]


def test_the_next_ones_are_measured_when_none_fits(candidates: list[Candidate]) -> None:
    found, bench = check(candidates, [9.9, 9.9, 9.9, 9.9, 8])
    assert found.certified
    assert found.winner is candidates[4]
    assert [len(call) for call in bench.calls] == [3, 3]


def test_candidates_that_the_correction_rules_out_are_not_measured(
    candidates: list[Candidate],
) -> None:
    # Measured is 4/3 of predicted; of the rest only one predicts less than 7.5 ms.
    candidates[7] = replace(candidates[7], predicted_ms=7.0)
    found, bench = check(candidates, [12, 12, 12, *[None] * 4, 9.0])
    assert found.winner is candidates[7]
    assert bench.calls[1] == [candidates[7].architecture]


def test_nothing_is_certified_when_nothing_fits(candidates: list[Candidate]) -> None:
    found, bench = check(candidates, [9.9] * 12)
    assert not found.certified
    assert "none of 6 measured candidates" in found.reason
    assert sum(map(len, bench.calls)) == 6
    assert found.winner is candidates[0]


def test_what_else_is_wanted_is_measured_once(
    candidates: list[Candidate], space: SearchSpace
) -> None:
    baseline = space.largest(experts=1)
    found, bench = check(candidates, [9.9, 9.9, 9.9, 8], also=[baseline])
    assert found.winner is candidates[3]
    assert [call.count(baseline) for call in bench.calls] == [1, 0]


def test_what_cannot_be_measured_is_no_winner(candidates: list[Candidate]) -> None:
    found, _ = check(candidates, [None, 9.0])
    assert found.certified
    assert found.winner is candidates[1]
    found, _ = check(candidates, [None, 9.9])
    assert not found.certified
    assert found.winner is candidates[1]


def test_nothing_is_certified_on_a_device_that_measures_nothing(
    candidates: list[Candidate],
) -> None:
    found, bench = check(candidates, [])
    assert not found.certified
    assert found.measured == {}
    assert sum(map(len, bench.calls)) == 6


def test_the_limit_holds_when_it_is_less_than_a_batch(candidates: list[Candidate]) -> None:
    bench = Bench({c.architecture: 9.9 for c in candidates})
    settings = SearchSettings(budget_ms=BUDGET_MS, verify_top=5, verify_most=2)
    assert not verify(candidates, settings, bench=bench).certified  # type: ignore[arg-type]
    assert [len(call) for call in bench.calls] == [2]


def test_no_candidate_is_an_error() -> None:
    with pytest.raises(ValueError, match="'candidates' must hold at least one"):
        check([], [])
