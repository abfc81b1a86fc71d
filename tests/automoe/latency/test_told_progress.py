from typing import Any

import pytest

from automoe.latency import told_progress
from automoe.latency.told_progress import ToldProgress
from profilers import Progress


class Clock:
    """A clock that tests set."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def event(kind: str, **more: Any) -> Progress:
    given = {"done": 1, "total": 5, "point_id": "a1", "round": 3, "rounds": 5, "target": 0.02}
    return Progress(**{**given, "event": kind, **more})


def told(*events: Progress) -> list[tuple[int, int, str]]:
    lines: list[tuple[int, int, str]] = []
    tell = ToldProgress(lambda done, total, note="": lines.append((done, total, note)), 2)
    for each in events:
        tell(each)
    return lines


@pytest.mark.parametrize(
    ("progress", "note"),
    [
        (
            event("block", median_ms=12.345, half_width=0.0214),
            "a1: block 3 of 5, 12.3 ms, interval ±2.2 % of wanted ±2.0 %",
        ),
        (
            event("done", median_ms=12.345, half_width=0.0199, stop_reason="target"),
            "a1: finished after block 3 of 5, 12.3 ms, interval ±2.0 % of wanted ±2.0 %",
        ),
        (event("restart"), "a1: block 3 of 5 starts in a new worker"),
        (event("failed"), "a1: could not be measured"),
        (event("restart", point_id="net{a}-1"), "net{a}-1: block 3 of 5 starts in a new worker"),
    ],
)
def test_progress_is_told_in_words(progress: Progress, note: str) -> None:
    assert told(progress) == [(3, 7, note)]


@pytest.mark.parametrize(
    ("stop_reason", "words"),
    [
        ("rounds", "(no more blocks are allowed)"),
        ("decided", "(clear of the budget)"),
        ("time", "(its time is used up)"),
    ],
)
def test_a_point_with_a_wide_interval_says_why_it_is_finished(stop_reason: str, words: str) -> None:
    # 2.003 % is not within 2 %, and is not written as if it were.
    ((_, _, note),) = told(event("done", half_width=0.02003, stop_reason=stop_reason))
    assert note.endswith(f"interval ±2.1 % of wanted ±2.0 % {words}")


def test_the_time_of_a_session_is_told_until_a_point_is_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(told_progress, "time", clock)
    lines: list[str] = []
    tell = ToldProgress(lambda done, total, note="": lines.append(note), 0)
    for _ in range(3):
        tell(event("block", done=0, total=50, min_rounds=3, rounds=6))
        clock.now += 4.0
    tell(event("block", done=1, total=50, min_rounds=3, rounds=6))
    # 50 points with 3 to 6 blocks of 4 s: 600 s to 1200 s.
    assert [line.partition("; ")[2] for line in lines] == [
        "",
        *["about 10 min to 20 min in all"] * 2,
        "",
    ]
