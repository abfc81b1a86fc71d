from pathlib import Path

import pytest
from support.recorded import recorded

from devices.sensors.load import (
    core_ticks,
    cpu_pressure,
    cpu_ticks,
    load_average,
    runnable_tasks,
    steal_share,
)


def test_ticks_are_those_of_all_cores(tmp_path: Path) -> None:
    host = recorded(tmp_path, {"proc/stat": "cpu 1 2 3 4 5 6 7 50 9 9\ncpu0 1\n"})
    assert cpu_ticks(host) == [1, 2, 3, 4, 5, 6, 7, 50]
    old = recorded(tmp_path / "old", {"proc/stat": "cpu 1 2 3\n"})
    assert cpu_ticks(old) is None


def test_pressure_is_that_of_some_task(tmp_path: Path) -> None:
    text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=4000\nfull avg10=9.00 total=9\n"
    pressure = cpu_pressure(recorded(tmp_path, {"proc/pressure/cpu": text}))
    assert (pressure["avg10"], pressure["total"]) == (1.5, 4000.0)


def test_steal_share_counts_the_eighth_field_and_not_guest_time(tmp_path: Path) -> None:
    root = recorded(tmp_path, {"proc/stat": "cpu  50 0 20 20 0 0 0 10 999 999\ncpu0 1 2 3\n"})
    assert steal_share(root) == pytest.approx(0.1)


@pytest.mark.parametrize(("field", "others"), [("3/345", 2), ("1/345", 0), ("0/345", 0)])
def test_runnable_tasks_leave_this_one_out(tmp_path: Path, field: str, others: int) -> None:
    root = recorded(tmp_path, {"proc/loadavg": f"1.50 0.70 0.30 {field} 6789\n"})
    assert runnable_tasks(root) == others


def test_the_load_average_is_that_of_the_last_minute(tmp_path: Path) -> None:
    assert load_average(recorded(tmp_path, {"proc/loadavg": "1.50 0.70 0.30 2/345 6789\n"})) == 1.5


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    host = recorded(tmp_path, {})
    for read in (load_average, runnable_tasks, steal_share, cpu_ticks):
        assert read(host) is None
    assert core_ticks(host) == cpu_pressure(host) == {}
