from pathlib import Path

import pytest
from support.boards import ORIN_NANO, PC
from support.recorded import recorded

from devices.sensors import processor

ZONES = "sys/class/thermal/thermal_zone"


def test_clocks_are_those_of_usable_cores(tmp_path: Path) -> None:
    host = ORIN_NANO.host(tmp_path, cpus=(0, 5))
    assert processor.clocks_mhz(host) == {0: 1420.8, 5: 1420.8}


@pytest.mark.parametrize("name", ["17000000.ga10b", "17000000.gv11b", "57000000.gpu"])
def test_the_gpus_clock_under_the_names_that_releases_gave_it(tmp_path: Path, name: str) -> None:
    files = {f"sys/class/devfreq/{name}/cur_freq": "921600000\n"}
    assert processor.gpu_clock_mhz(PC.host(tmp_path, files=files)) == 921.6


def test_the_temperature_is_the_hottest_in_degrees(tmp_path: Path) -> None:
    zones = {"0": "45123\n", "1": "61500\n", "2": "-256000\n", "3": "no sensor\n"}
    host = recorded(tmp_path, {f"{ZONES}{n}/temp": text for n, text in zones.items()})
    assert list(processor.zones_c(host).values()) == [45.123, 61.5]  # the third is switched off
    assert processor.temperature_c(host) == 61.5


def test_ticks_are_those_of_all_cores(tmp_path: Path) -> None:
    host = recorded(tmp_path, {"proc/stat": "cpu 1 2 3 4 5 6 7 50 9 9\ncpu0 1\n"})
    assert processor.cpu_ticks(host) == [1, 2, 3, 4, 5, 6, 7, 50]
    old = recorded(tmp_path / "old", {"proc/stat": "cpu 1 2 3\n"})
    assert processor.cpu_ticks(old) is None


def test_pressure_is_that_of_some_task(tmp_path: Path) -> None:
    text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=4000\nfull avg10=9.00 total=9\n"
    pressure = processor.cpu_pressure(recorded(tmp_path, {"proc/pressure/cpu": text}))
    assert (pressure["avg10"], pressure["total"]) == (1.5, 4000.0)


def test_quota_stops_v2_add_up_on_the_way_up(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\nuser_usec 9\n",
        "sys/fs/cgroup/pod/cpu.stat": "usage_usec 9\nnr_throttled 3\nthrottled_usec 250000\n",
        "sys/fs/cgroup/pod/box/cpu.stat": "nr_throttled 4\nthrottled_usec 1000000\n",
    }
    assert processor.quota_stops(recorded(tmp_path, files)) == (7, 1.25)


def test_quota_stops_v1_are_in_nanoseconds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 500000000",
    }
    assert processor.quota_stops(recorded(tmp_path, files)) == (2, 0.5)


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    host = recorded(tmp_path, {})
    for read in (
        processor.gpu_clock_folder,
        processor.gpu_clock_mhz,
        processor.temperature_c,
        processor.cpu_ticks,
        processor.quota_stops,
    ):
        assert read(host) is None
    assert processor.clocks_mhz(host) == processor.cpu_pressure(host) == {}
    assert processor.throttle_counts(host) == []
