from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search import Candidate, Measured, SearchSettings, verify

BUDGET_MS = 10.0


class Bench:
    """A device that answers from a table, two percent around each latency.

    The second time everything takes ``second`` times as long.
    """

    def __init__(
        self, latency_ms: dict[Architecture, float], slowness: float = 1.0, second: float = 1.0
    ) -> None:
        self.latency_ms = latency_ms
        self.slowness = slowness
        self.second = second
        self.calls: list[list[Architecture]] = []
        self.again: list[Architecture] = []
        self.failures: dict[str, str] = {}
        self.deletion = "rm files/verification*"

    def measure(
        self, architectures: Sequence[Architecture], on_progress: Any
    ) -> dict[Architecture, Measured | None]:
        self.calls.append(list(architectures))
        return {a: self._measured(a) for a in architectures}

    def measure_again(self, architecture: Architecture, on_progress: Any) -> Measured | None:
        self.again.append(architecture)
        return self._measured(architecture, self.second)

    def _measured(self, architecture: Architecture, factor: float = 1.0) -> Measured | None:
        ms = factor * self.latency_ms.get(architecture, 0.0)
        return Measured(ms, 0.98 * ms, 1.02 * ms, self.slowness * ms, ()) if ms else None


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
    second: float = 1.0,
    most: int = 20,
    **more: Any,
) -> Any:
    known = zip(candidates, latencies_ms, strict=False)
    bench = Bench({c.architecture: ms for c, ms in known if ms is not None}, slowness, second)
    settings = SearchSettings(budget_ms=BUDGET_MS, verify_top=3, verify_most=most)
    return verify(candidates, settings, bench=bench, **more), bench  # type: ignore[arg-type]


def test_the_first_that_fits_with_its_whole_interval_wins(candidates: list[Candidate]) -> None:
    # 9.9 ms fits, but its interval ends at 10.1.
    found, _ = check(candidates, [12, 9.9, 9.5])
    assert found.certified
    assert found.winner is candidates[2]
    assert "95 % interval 9.31 to 9.69 ms, within 10 ms" in found.reason


def test_the_winner_is_measured_once_more_and_that_is_what_is_said_of_it(
    candidates: list[Candidate],
) -> None:
    found, bench = check(candidates, [12, 9.0, 8.0], second=1.01)
    assert found.certified
    assert bench.again == [candidates[1].architecture]
    assert found.measured[candidates[1].architecture].latency_ms == pytest.approx(9.09)
    assert "measured 9.09 ms, 95 % interval 8.908 to 9.272 ms" in found.reason
    assert "9 ms when it was chosen" in found.reason
    assert "9.09 ms (8.908 to 9.272)" in repr(found)


def test_a_certificate_says_when_the_predictor_promised_less(candidates: list[Candidate]) -> None:
    # The interval of 9.5 ms begins at 9.31 ms, and that of 9.2 ms at 9.016 ms.
    promised = [replace(candidate, upper_ms=9.1) for candidate in candidates]
    found, _ = check(promised, [9.5])
    assert found.certified
    assert "is above the predictor's bound of 9.1 ms" in found.reason
    within, _ = check(promised, [9.2])
    assert "predictor" not in within.reason


def test_flags_of_the_winner_are_shown(candidates: list[Candidate]) -> None:
    found, _ = check(candidates, [9.5])
    assert "flags" not in found.shown()
    winner = found.winner.architecture
    flagged = replace(found.measured[winner], flags=("contended", "sentinel_drift"))
    flags = replace(found, measured={winner: flagged}).shown()["flags"]
    assert flags == "contended, sentinel_drift"


def test_what_fits_by_chance_is_found_out_and_the_next_one_tried(
    candidates: list[Candidate],
) -> None:
    # 9.7 ms ends at 9.89 ms at first, and at 10.1 ms the second time.
    found, bench = check(candidates, [9.7, 12, 9.0], second=1.02)
    assert found.winner is candidates[2]
    assert bench.again == [candidates[0].architecture, candidates[2].architecture]
    found, bench = check(candidates, [9.7, 12, 9.7], second=1.02)
    assert not found.certified
    assert found.measured[candidates[0].architecture].latency_ms == pytest.approx(9.894)


def test_what_fails_the_second_time_is_no_winner(candidates: list[Candidate]) -> None:
    found, _ = check(candidates, [9.0, 12, 12], second=0.0)
    assert not found.certified
    assert "1 could not be measured" in found.reason


def test_what_fits_only_once_the_machines_drift_is_taken_back_is_not_certified(
    candidates: list[Candidate],
) -> None:
    # 9.5 ms on the machine as it was, 10.45 ms as it was seen.
    found, _ = check(candidates, [9.5, 9.0], slowness=1.1)
    assert found.certified
    assert found.winner is candidates[1]
    found, _ = check(candidates, [9.5, 9.6, 12], slowness=1.1)
    assert not found.certified
    assert "within 10 ms; 2 fit once corrected for the machine's drift" in found.reason
    assert "took 10.45 ms or more uncorrected: have the machine to yourself" in found.reason
    assert found.reason.endswith("to measure again: rm files/verification*")


@pytest.mark.parametrize(("n_contended", "is_told"), [(3, True), (1, False)])
def test_a_busy_machine_is_named_where_nothing_fits(
    candidates: list[Candidate], n_contended: int, is_told: bool
) -> None:
    class Busy(Bench):
        def measure(
            self, architectures: Sequence[Architecture], on_progress: Any
        ) -> dict[Architecture, Measured | None]:
            flags = [("contended", "ci_unmet")] * n_contended + [()] * len(architectures)
            return {
                a: Measured(14.88, 14, 15, 14.88, flag)
                for a, flag in zip(architectures, flags, strict=False)
            }

    settings = SearchSettings(budget_ms=BUDGET_MS, verify_top=3)
    reason = verify(candidates, settings, bench=Busy({})).reason
    told = "other programs used the cores while 3 of 3 were measured, which makes them look slow"
    assert (told in reason) is is_told
    assert reason.endswith("measure again: rm files/verification*") is is_told


def test_what_was_measured_before_is_judged_and_not_measured_again(
    candidates: list[Candidate],
) -> None:
    first, _ = check(candidates, [9.9, 9.9, 9.9])
    assert not first.certified
    found, bench = check(candidates, [*[None] * 3, 9.9, 8.0], known=first.measured)
    assert found.winner is candidates[4]
    assert bench.calls == [[c.architecture for c in candidates[3:6]]]
    assert len(found.measured) == 6


def test_the_last_round_measures_no_more_than_is_left(
    candidates: list[Candidate], space: SearchSpace
) -> None:
    baseline = space.largest(experts=1)
    first, _ = check(candidates, [9.9] * 12, most=4, also=[baseline])
    _, bench = check(candidates, [9.9] * 12, most=4, also=[baseline], known=first.measured)
    assert bench.calls == [[candidates[3].architecture]]


def test_nothing_is_certified_when_nothing_fits(candidates: list[Candidate]) -> None:
    found, bench = check(candidates, [9.9] * 12)
    assert not found.certified
    assert "none of 3 measured architectures" in found.reason
    assert sum(map(len, bench.calls)) == 3
    assert found.winner is candidates[0]


def test_what_else_is_wanted_is_measured_once(
    candidates: list[Candidate], space: SearchSpace
) -> None:
    baseline = space.largest(experts=1)
    first, bench = check(candidates, [9.9, 9.9, 9.9], also=[baseline])
    assert bench.calls[0][-1] == baseline
    found, bench = check(candidates, [*[None] * 3, 8], also=[baseline], known=first.measured)
    assert found.winner is candidates[3]
    assert baseline not in bench.calls[0]


def test_what_cannot_be_measured_is_no_winner_and_not_tried_again(
    candidates: list[Candidate],
) -> None:
    found, _ = check(candidates, [None, 9.0])
    assert found.certified
    assert found.winner is candidates[1]
    found, _ = check(candidates, [None, 9.9, 9.9])
    assert not found.certified
    assert "1 could not be measured" in found.reason
    assert found.winner is candidates[1]
    _, bench = check(candidates, [], known=found.measured)
    assert candidates[0].architecture not in bench.calls[0]


def test_nothing_is_certified_on_a_device_that_measures_nothing(
    candidates: list[Candidate],
) -> None:
    found, _ = check(candidates, [])
    assert not found.certified
    assert set(found.measured.values()) == {None}


def test_no_candidate_is_an_error() -> None:
    with pytest.raises(ValueError, match="'candidates' must hold at least one"):
        check([], [])
