"""Meters of recorded machines and of an imitated GPU: only the arithmetic is real."""

import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from support.recorded import recorded

from devices.sensors.energy import CountedEnergy, IntegratedPower, find_meter

RAPL = "/sys/class/powercap/intel-rapl:"
HWMON = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
IIO = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
PACKAGES = {
    f"{RAPL}0/name": "package-0\n",
    f"{RAPL}0/energy_uj": "9000\n",
    f"{RAPL}0/max_energy_range_uj": "10000\n",
    f"{RAPL}0:0/name": "core\n",
    f"{RAPL}0:0/energy_uj": "5000\n",
    f"{RAPL}1/name": "package-1\n",
    f"{RAPL}1/energy_uj": "1000\n",
    f"{RAPL}1/max_energy_range_uj": "10000\n",
}
ORIN = {
    f"{HWMON}/in1_label": "VDD_IN\n",
    f"{HWMON}/in1_input": "5000\n",
    f"{HWMON}/curr1_input": "1200\n",
    f"{HWMON}/in2_label": "VDD_SOC\n",
    f"{HWMON}/in2_input": "5000\n",
    f"{HWMON}/curr2_input": "300\n",
    f"{HWMON}/in3_label": "NC\n",
}


def test_a_counter_that_wraps_goes_on() -> None:
    values = iter([90.0, 5.0])
    meter = CountedEnergy("c", [(lambda: next(values), 100.0)])
    meter.start()
    assert meter.stop_mj() == 15.0


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    meter: Any = find_meter(recorded(tmp_path, PACKAGES))
    assert meter.name == "RAPL package-0+package-1"
    meter.start()
    # Package 0 counts to 10 mJ and starts again: 2 mJ in all. Package 1 adds 3 mJ.
    recorded(tmp_path, {f"{RAPL}0/energy_uj": "1000\n", f"{RAPL}1/energy_uj": "4000\n"})
    recorded(tmp_path, {f"{RAPL}0:0/energy_uj": "999999\n"})
    assert meter.stop_mj() == pytest.approx(5.0)


def test_a_counter_that_only_root_may_read_is_no_meter(tmp_path: Path) -> None:
    unreadable = {
        name: "" if name.endswith("energy_uj") else text for name, text in PACKAGES.items()
    }
    assert find_meter(recorded(tmp_path, unreadable)) is None


def test_a_boards_input_is_its_meter(tmp_path: Path) -> None:
    meter: Any = find_meter(recorded(tmp_path, ORIN))
    assert meter.name == "INA3221 VDD_IN"
    assert meter.read_mw() == 6000.0  # 5000 mV times 1200 mA


def test_without_an_input_its_rails_are_added_up(tmp_path: Path) -> None:
    meter: Any = find_meter(recorded(tmp_path, {**ORIN, f"{HWMON}/in1_label": "VDD_GPU\n"}))
    assert meter.name == "INA3221 VDD_GPU+VDD_SOC"
    assert meter.read_mw() == 7500.0


def test_the_rails_of_jetpack_4(tmp_path: Path) -> None:
    files = {f"{IIO}/rail_name_0": "POM_5V_IN\n", f"{IIO}/in_power0_input": "933\n"}
    meter: Any = find_meter(recorded(tmp_path, files))
    assert (meter.name, meter.read_mw()) == ("INA3221 POM_5V_IN", 933.0)


def test_power_is_integrated_by_trapezoids(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, milliwatts = iter([0.0, 2.0]), iter([1000.0, 3000.0])
    meter = IntegratedPower("p", lambda: next(milliwatts), every_s=60)
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    meter.start()
    assert meter.stop_mj() == 4000.0  # 2 W on average for 2 s


def test_power_is_read_while_something_runs() -> None:
    readings = itertools.count(1)
    meter = IntegratedPower("p", lambda: float(next(readings)), every_s=0.001)
    meter.start()
    while next(readings) < 50:  # the thread draws from it too
        time.sleep(0.001)
    assert meter.stop_mj() > 0
    assert len(meter.readings) > 3
    assert not meter.thread.is_alive()


class CountingGpu:
    """Stands for a GPU that counts 1000 mJ with every reading, or does not count."""

    def __init__(self, counts: bool) -> None:
        self.counts = counts
        self.read_mj = itertools.count(5000, 1000)

    def counts_energy(self) -> bool:
        return self.counts

    def energy_mj(self) -> float:
        return float(next(self.read_mj))


def test_the_gpus_energy(tmp_path: Path) -> None:
    gpu: Any = CountingGpu(counts=True)
    meter: Any = find_meter(recorded(tmp_path, PACKAGES), gpu)
    assert meter.name == "NVML GPU"
    meter.start()
    assert meter.stop_mj() == 1000.0


def test_a_gpu_without_a_counter_has_no_meter(tmp_path: Path) -> None:
    gpu: Any = CountingGpu(counts=False)
    assert find_meter(recorded(tmp_path, PACKAGES), gpu) is None  # the processor's is not the GPU's
