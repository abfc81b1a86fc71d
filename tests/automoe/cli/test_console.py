"""Progress as lines, with the time that is left, when stderr is not a terminal."""

import re
import sys

import pytest

from automoe.cli import console
from automoe.cli.console import print_table, progress_bar

Capture = pytest.CaptureFixture[str]


class Clock:
    """A clock that tests set."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_the_time_left_is_that_of_the_pace_so_far(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Search") as advance:
        for n in range(1, 101):
            clock.now = 2.0 * n
            advance(n, 1000, "best 3.2")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Search: 5 of 1000, 33 min left; best 3.2"  # 995 times two seconds
    assert lines[-1] == "Search: 100 of 1000, 30 min left; best 3.2"


def test_what_was_known_takes_no_time_and_shortens_none(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Search") as advance:
        for n in range(1, 501):  # at once
            advance(n, 1000)
        for n in range(501, 506):
            clock.now += 2.0
            advance(n, 1000)
    assert capsys.readouterr().err == "Search: 505 of 1000, 16 min left\n"  # 495 times two seconds


def test_a_time_that_is_not_known_is_not_told(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Profile") as advance:
        advance(0, 50)
        clock.now = 11.0
        advance(0, 50, "10 min in all")
    assert capsys.readouterr().err == "Profile: 0 of 50; 10 min in all\n"


def test_the_pace_is_that_of_the_last_minutes(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Search") as advance:
        for n in range(1, 1001):
            clock.now += 0.1 if n <= 500 else 10.0  # other programs begin to use the cores
            advance(n, 1000)
            if n == 520:
                break
    assert capsys.readouterr().err.splitlines()[-1] == "Search: 520 of 1000, 80 min left"


def test_a_brief_stage_says_nothing_unless_it_is_long(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Fit", is_brief=True) as advance:
        for n in range(1, 6):
            clock.now += 1.0
            advance(n, 5)
    assert capsys.readouterr().err == ""
    with progress_bar("Fit", is_brief=True) as advance:
        for n in range(1, 4):
            clock.now += 9.0
            advance(n, 4, f"model {n}")
    assert capsys.readouterr().err == "Fit: 2 of 4, 18 s left; model 2\n"


def test_the_end_is_told_whenever_it_comes(clock: Clock, capsys: Capture) -> None:
    with progress_bar("Fit") as advance:
        advance(1, 1)
    assert capsys.readouterr().err == "Fit: 1 of 1, finished\n"


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_NOTHING"])
def test_no_colour_and_no_bar_without_a_terminal(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    print_table(("name", "value"), [("a" * 150, "b")])
    with progress_bar("Fit") as advance:
        advance(1, 2)
        advance(2, 2)
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "a" * 150 in printed.out  # nothing is wrapped or cut
    assert printed.err == "Fit: 2 of 2, finished\n"


def test_a_stage_with_nothing_left_is_shown_as_finished(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("Supernet"):
        pass
    told = capsys.readouterr().err
    assert "0/?" not in told
    last = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", told).strip().splitlines()[-1]
    assert "1/1" in last
    assert "finished before" in last
