import time
from pathlib import Path

import pytest
from paper_claim.clock import Clock, TimeIsUp


def test_a_task_ends_right_after_a_state_is_on_disk(tmp_path: Path) -> None:
    clock = Clock("t", time.time() - 1, tmp_path / "seconds.jsonl", every=10)
    for done in range(2, 11):
        clock(done, 100)
    with pytest.raises(TimeIsUp, match="goes on at 10 of 100"):
        clock(11, 100)


def test_a_task_that_is_nearly_done_ends(tmp_path: Path) -> None:
    clock = Clock("t", time.time() - 1, tmp_path / "seconds.jsonl", every=10)
    clock(21, 21)


def test_with_time_left_nothing_ends(tmp_path: Path) -> None:
    clock = Clock("t", time.time() + 1000, tmp_path / "seconds.jsonl")
    for done in range(1, 10):
        clock(done, 10)
    clock.require(10)
    with pytest.raises(TimeIsUp, match="needs 20 minutes"):
        clock.require(20)


def test_the_seconds_of_all_calls_are_added(tmp_path: Path) -> None:
    path = tmp_path / "seconds.jsonl"
    path.write_text("[5.0, 4.0]\n[2.5, 1.0]\nhalf a li")
    seconds = Clock("t", time.time(), path).seconds()
    assert seconds["wall_s"] == pytest.approx(7.5, abs=0.5)
    assert seconds["cpu_s"] == pytest.approx(5.0, abs=0.5)
