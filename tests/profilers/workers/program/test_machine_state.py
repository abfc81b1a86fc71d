from pathlib import Path
from typing import Any

import pytest
from support.recorded import recorded

from profilers.workers.program.machine_state import busy_ms_of_threads, count_busy, read_sensors

KERNEL = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/stat": "cpu 1 2 3 4 5 6 7 50 9 9\ncpu0 1\n",
    "/proc/self/task/1/schedstat": "111 3000000 5\n",
    "/proc/self/task/2/schedstat": "111 3000000 5\n",
    "/proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=4000\nfull total=9\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_throttled 2\nthrottled_usec 7000\n",
    "/sys/class/thermal/thermal_zone0/temp": "45500\n",
    "/sys/class/thermal/thermal_zone1/temp": "61000\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "4\n",
    "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
}


@pytest.fixture(autouse=True)
def hundredths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick is a hundredth of a second, as it mostly is."""
    monkeypatch.setattr("profilers.workers.program.machine_state.os.sysconf", lambda name: 100)


def test_sensors_the_kernel_does_not_offer_read_none(tmp_path: Path) -> None:
    sensors = read_sensors(recorded(tmp_path, {}))
    assert {name for name, value in sensors.items() if value is not None} == {
        "clock_ms",
        "load",
        "involuntary_switches",
        "own_ms",
    }


def test_sensors_are_read_in_their_units(tmp_path: Path) -> None:
    sensors = read_sensors(recorded(tmp_path, KERNEL))
    assert sensors["steal_ms"] == 500.0  # 50 ticks of a hundredth of a second
    # User 1, nice 2, system 3, irq 6 and softirq 7 ticks; neither idle nor waiting for a disk.
    assert sensors["machine_ms"] == 190.0
    assert sensors["wait_ms"] == 6.0  # 3 million nanoseconds for each of two threads
    assert (sensors["pressure_ms"], sensors["quota_ms"]) == (4.0, 7.0)  # of microseconds
    assert (sensors["temperature_c"], sensors["cpu_mhz"]) == (61.0, 1500.0)
    assert sensors["throttle_events"] == 7
    assert sensors["throttled_now"] is True  # bits 0 and 2 are set


def test_only_the_time_of_usable_cores_counts(tmp_path: Path) -> None:
    lines = ["cpu 66 0 0 0 0 0 0 6 0 0", *(f"cpu{n} {11 * n} 0 0 0 0 0 0 {n}" for n in range(4))]
    files = {"/proc/stat": "\n".join(lines)}
    sensors = read_sensors(recorded(tmp_path, files, cpus=(1, 3)))
    assert sensors["machine_ms"] == 440.0  # 11 + 33 ticks
    assert (sensors["steal_ms"], sensors["machine_cores"]) == (40.0, 2)
    # Some containers number the cores from 0 whatever they are.
    sensors = read_sensors(recorded(tmp_path, files, cpus=(17, 18)))
    assert (sensors["machine_ms"], sensors["machine_cores"]) == (660.0, 4)


def test_the_clock_of_a_jetsons_gpu(tmp_path: Path) -> None:
    files = {"/sys/class/devfreq/17000000.gpu/cur_freq": "624750000\n"}
    assert read_sensors(recorded(tmp_path, files))["gpu_mhz"] == 624.75


class HotGpu:
    """Stands for a GPU whose driver answers."""

    def sensors(self) -> dict[str, Any]:
        return {"gpu_mhz": 1980, "gpu_temperature_c": 61, "gpu_throttled": True}


def test_the_sensors_of_a_gpu_that_has_a_driver(tmp_path: Path) -> None:
    gpu: Any = HotGpu()
    sensors = read_sensors(recorded(tmp_path, KERNEL), gpu)
    assert (sensors["gpu_mhz"], sensors["gpu_temperature_c"]) == (1980, 61)
    assert sensors["gpu_throttled"] is True


def test_throttling_in_the_past_is_not_now(tmp_path: Path) -> None:
    files = {"/sys/devices/platform/soc/soc:firmware/get_throttled": "50000"}
    assert read_sensors(recorded(tmp_path, files))["throttled_now"] is False


def test_the_clock_is_that_of_the_fastest_usable_core_in_megahertz(tmp_path: Path) -> None:
    khz = {0: "1000000\n", 1: "2000000\n", 2: "3000000\n", 3: ""}
    files = {f"/sys/devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq": x for n, x in khz.items()}
    assert read_sensors(recorded(tmp_path, files, cpus=(0, 1, 3)))["cpu_mhz"] == 2000.0


def test_the_time_of_each_thread(tmp_path: Path) -> None:
    files = {f"/proc/self/task/{n}/schedstat": f"{n}000000 5 1\n" for n in (7, 8)}
    assert list(busy_ms_of_threads(recorded(tmp_path, files)).values()) == [7.0, 8.0]


def test_busy_threads_are_those_that_did_a_share_of_the_work() -> None:
    before = {"main": 100.0, "pool": 50.0, "idle": 7.0}
    after = {"main": 200.0, "pool": 120.0, "idle": 7.0, "new": 4.0}
    assert count_busy(before, after) == 2
    assert count_busy({}, {}) is None
