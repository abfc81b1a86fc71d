import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.scripted import INFO, ScriptedDevice

from devices import DeviceInfo, DeviceUnavailableError
from profilers import (
    FailedPoint,
    Measurement,
    Point,
    Progress,
    Protocol,
    Sentinel,
    measure_on_several,
)

PROTOCOL = Protocol(
    samples_per_block=2, group_ms=0, min_rounds=2, max_rounds=2, chunk_size=2, timeout_s=60.0
)
IDS = ["a", "b", "c", "d", "e", "f"]


class Board(ScriptedDevice):
    """One of several alike; it goes away when it is asked for more workers than ``until``."""

    def __init__(self, folder: Path, *, until: int = 1000, info: DeviceInfo = INFO) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._until = until
        self._info = info
        self.n_workers = 0

    def info(self) -> DeviceInfo:
        return self._info

    def worker_command(self, worker: Path) -> list[str]:
        self.n_workers += 1
        if self.n_workers > self._until:
            raise DeviceUnavailableError("The board does not answer.")
        return super().worker_command(worker)

    @property
    def measured(self) -> set[str]:
        """The points of which it was asked for a block."""
        return set(self.blocks()) - {"s"}


@pytest.fixture
def boards(tmp_path: Path) -> list[Board]:
    return [Board(tmp_path / "first"), Board(tmp_path / "second")]


@pytest.fixture
def points(boards: list[Board]) -> list[Point]:
    return [Point(point_id=name, workload=boards[0].workload(name)) for name in IDS]


@pytest.fixture
def sentinel(boards: list[Board]) -> Sentinel:
    return Sentinel(name="s", workload=boards[0].workload("s", [2.0]))


Measure = Callable[..., list[Measurement | FailedPoint]]


@pytest.fixture
def measure(boards: list[Board], points: list[Point], sentinel: Sentinel) -> Measure:
    def measured(**changes: object) -> list[Measurement | FailedPoint]:
        arguments = {"devices": boards, "protocol": PROTOCOL, "sentinel": sentinel, **changes}
        return list(measure_on_several(points, **arguments))  # type: ignore[arg-type]

    return measured


def test_every_point_is_measured_once_by_one_of_them(measure: Measure, boards: list[Board]) -> None:
    told: list[Progress] = []
    outcomes = measure(on_progress=told.append)
    assert sorted(outcome.point_id for outcome in outcomes) == IDS
    assert all(isinstance(outcome, Measurement) for outcome in outcomes)
    first, second = (board.measured for board in boards)
    assert first | second == set(IDS)
    assert not first & second
    # The first chunk gives the level; the two of them share what is left.
    assert {"a", "b"} <= first
    assert second
    assert {event.total for event in told} == {6}
    assert max(event.done for event in told) == 6


def test_all_rows_have_the_level_of_the_first_chunk(
    measure: Measure, boards: list[Board], tmp_path: Path
) -> None:
    outcomes = measure()
    assert {o.sentinel_reference_ms for o in outcomes if isinstance(o, Measurement)} == {2.0}
    known = Sentinel(name="s", workload=boards[0].workload("t", [4.0]), reference_ms=3.0)
    again = measure(sentinel=known)
    assert {o.sentinel_reference_ms for o in again if isinstance(o, Measurement)} == {3.0}


def test_a_board_that_goes_away_leaves_its_points_to_the_other(
    measure: Measure, boards: list[Board], tmp_path: Path
) -> None:
    lost: list[str] = []
    leaves = Board(tmp_path / "leaves", until=1)
    outcomes = measure(devices=[boards[0], leaves], on_lost=lost.append)
    assert sorted(outcome.point_id for outcome in outcomes) == IDS
    assert all(isinstance(outcome, Measurement) for outcome in outcomes)
    assert leaves.n_workers == 2, "it had begun a chunk"
    assert lost == ["The board does not answer. The other devices continue."]


def test_a_board_that_goes_away_first_of_all_leaves_everything_to_the_other(
    measure: Measure, boards: list[Board], tmp_path: Path
) -> None:
    lost: list[str] = []
    leaves = Board(tmp_path / "leaves", until=0)
    outcomes = measure(devices=[leaves, boards[0]], on_lost=lost.append)
    assert sorted(outcome.point_id for outcome in outcomes) == IDS
    assert lost == ["The board does not answer. The other devices continue."]
    with pytest.raises(DeviceUnavailableError, match="The board does not answer"):
        measure(devices=[leaves, leaves])


def test_when_all_are_gone_what_was_finished_was_told(
    boards: list[Board], points: list[Point], sentinel: Sentinel, tmp_path: Path
) -> None:
    # The first chunk takes two workers, and then each has one more.
    leaving = [Board(tmp_path / "one", until=3), Board(tmp_path / "two", until=1)]
    outcomes = measure_on_several(points, devices=leaving, protocol=PROTOCOL, sentinel=sentinel)
    assert [next(outcomes).point_id, next(outcomes).point_id] in (["a", "b"], ["b", "a"])
    with pytest.raises(DeviceUnavailableError, match="The board does not answer"):
        list(outcomes)


def test_two_that_go_away_at_once_leave_an_error(
    boards: list[Board],
    points: list[Point],
    sentinel: Sentinel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class BothErrorsFirst(queue.Queue[object]):
        """The errors of both threads arrive before either thread says that it has ended."""

        def __init__(self) -> None:
            super().__init__()
            self.arrived = threading.Barrier(2, timeout=20)

        def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:
            super().put(item, block, timeout)
            if isinstance(item, Exception):
                self.arrived.wait()

    monkeypatch.setattr("profilers.measuring.shared_queue.Queue", BothErrorsFirst)
    lost: list[str] = []
    level = replace(sentinel, reference_ms=2.0)
    leaving = [Board(tmp_path / "one", until=0), Board(tmp_path / "two", until=0)]
    with pytest.raises(DeviceUnavailableError, match="The board does not answer"):
        list(
            measure_on_several(
                points, devices=leaving, protocol=PROTOCOL, sentinel=level, on_lost=lost.append
            )
        )
    assert lost == ["The board does not answer. The other devices continue."]


def test_who_wants_no_more_leaves_no_thread_behind(
    boards: list[Board], points: list[Point], sentinel: Sentinel
) -> None:
    before = threading.active_count()
    outcomes = measure_on_several(points, devices=boards, protocol=PROTOCOL, sentinel=sentinel)
    for _ in range(3):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_graphs_are_written_one_at_a_time(
    boards: list[Board], points: list[Point], measure: Measure
) -> None:
    at_once: list[int] = []
    writing = threading.Semaphore(0)

    def prepare(path: Path) -> Path:
        writing.release()
        time.sleep(0.02)
        at_once.append(writing._value)
        writing.acquire()
        return path

    for n, point in enumerate(points):
        path = point.resolve()
        points[n] = replace(point, workload=None, prepare=lambda path=path: prepare(path))
    measure()
    assert at_once == [1] * len(IDS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machine": "aarch64"}, "must be alike to share one log. Got the fingerprint"),
        ({"power_mode": "powersave"}, "Got the power mode performance of Scripted CPU and powers"),
    ],
)
def test_boards_that_differ_are_refused(
    changes: dict[str, str], message: str, measure: Measure, boards: list[Board], tmp_path: Path
) -> None:
    other = Board(tmp_path / "other", info=replace(INFO, **changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        measure(devices=[boards[0], other])


def test_a_sentinel_of_ones_own_is_needed(measure: Measure) -> None:
    with pytest.raises(ValueError, match="'sentinel' must have a workload"):
        measure(sentinel=Sentinel())


def test_a_point_twice_is_refused(
    points: list[Point], boards: list[Board], sentinel: Sentinel
) -> None:
    with pytest.raises(ValueError, match="'points' must have unique ids"):
        measure_on_several(
            [*points, points[0]], devices=boards, protocol=PROTOCOL, sentinel=sentinel
        )
