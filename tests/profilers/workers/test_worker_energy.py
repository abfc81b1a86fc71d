"""Meters of the worker: their files and their driver are fakes, their arithmetic is not."""

import fnmatch
import itertools
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from profilers.workers import worker
from profilers.workers.worker import (
    CountedEnergy,
    Gpu,
    IntegratedPower,
    Worker,
    find_gpu,
    find_meter,
)

RAPL = "/sys/class/powercap/intel-rapl:"
HWMON = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
IIO = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
PACKAGES = {
    f"{RAPL}0": "",
    f"{RAPL}0/name": "package-0\n",
    f"{RAPL}0/energy_uj": "9000\n",
    f"{RAPL}0/max_energy_range_uj": "10000\n",
    f"{RAPL}0:0": "",
    f"{RAPL}0:0/name": "core\n",
    f"{RAPL}0:0/energy_uj": "5000\n",
    f"{RAPL}1": "",
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


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    files: dict[str, str] = {}
    monkeypatch.setattr(worker, "read_text", lambda path: files.get(path, ""))
    monkeypatch.setattr(
        worker.glob,
        "glob",
        # As the shell: a star does not reach over a slash.
        lambda pattern: [
            x for x in files if fnmatch.fnmatch(x, pattern) and x.count("/") == pattern.count("/")
        ],
    )
    return files


def test_a_counter_that_wraps_goes_on() -> None:
    values = iter([90.0, 5.0])
    meter = CountedEnergy("c", [(lambda: next(values), 100.0)])
    meter.start()
    assert meter.stop_mj() == 15.0


def test_packages_are_added_up_and_their_parts_are_not(kernel: dict[str, str]) -> None:
    kernel.update(PACKAGES)
    meter = find_meter()
    assert meter.name == "RAPL package-0+package-1"
    meter.start()
    # Package 0 counts to 10 mJ and starts again: 2 mJ in all. Package 1 adds 3 mJ.
    kernel.update({f"{RAPL}0/energy_uj": "1000\n", f"{RAPL}1/energy_uj": "4000\n"})
    kernel[f"{RAPL}0:0/energy_uj"] = "999999\n"
    assert meter.stop_mj() == pytest.approx(5.0)


def test_a_counter_that_only_root_may_read_is_no_meter(kernel: dict[str, str]) -> None:
    kernel.update(PACKAGES)
    for package in (0, 1):
        kernel[f"{RAPL}{package}/energy_uj"] = ""
    assert find_meter() is None


def test_a_boards_input_is_its_meter(kernel: dict[str, str]) -> None:
    kernel.update(ORIN)
    meter = find_meter()
    assert meter.name == "INA3221 VDD_IN"
    assert meter.read_mw() == 6000.0  # 5000 mV times 1200 mA


def test_without_an_input_its_rails_are_added_up(kernel: dict[str, str]) -> None:
    kernel.update({**ORIN, f"{HWMON}/in1_label": "VDD_GPU\n"})
    meter = find_meter()
    assert meter.name == "INA3221 VDD_GPU+VDD_SOC"
    assert meter.read_mw() == 7500.0


def test_the_rails_of_jetpack_4(kernel: dict[str, str]) -> None:
    kernel.update({f"{IIO}/rail_name_0": "POM_5V_IN\n", f"{IIO}/in_power0_input": "933\n"})
    meter = find_meter()
    assert (meter.name, meter.read_mw()) == ("INA3221 POM_5V_IN", 933.0)


def test_power_is_integrated_by_trapezoids(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, milliwatts = iter([0.0, 2.0]), iter([1000.0, 3000.0])
    meter = IntegratedPower("p", lambda: next(milliwatts), every_s=60)
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(seconds))
    meter.start()
    assert meter.stop_mj() == 4000.0  # 2 W on average for 2 s


def test_power_is_read_while_something_runs() -> None:
    readings = itertools.count(1)
    meter = IntegratedPower("p", lambda: float(next(readings)), every_s=0.001)
    meter.start()
    while next(readings) < 50:  # the thread draws from it too
        worker.time.sleep(0.001)
    assert meter.stop_mj() > 0
    assert len(meter.readings) > 3
    assert not meter.thread.is_alive()


class FakeError(Exception):
    """As pynvml.NVMLError."""


def fake_nvml(**answers: Any) -> Any:
    def answer(name: str) -> Any:
        def ask(handle: str, *arguments: Any) -> Any:
            if name not in answers:
                raise FakeError("Not Supported")
            return answers[name]

        return ask

    functions = {
        name: answer(name)
        for name in (
            "nvmlDeviceGetTotalEnergyConsumption",
            "nvmlDeviceGetClockInfo",
            "nvmlDeviceGetTemperature",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
        )
    }
    return SimpleNamespace(
        NVMLError=FakeError,
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: f"handle of {uuid}",
        nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
        **functions,
    )


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PROVIDER", "CUDAExecutionProvider")


def install(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(**answers))


def test_the_gpu_is_found_by_its_uuid(monkeypatch: pytest.MonkeyPatch, on_a_gpu: None) -> None:
    install(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb2222")
    assert find_gpu().handle == "handle of GPU-bbbb2222"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert find_gpu().handle == "handle 0"


def test_the_gpus_sensors(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, str], on_a_gpu: None
) -> None:
    # 0x24: its power limit, a setting, and heat, a disturbance (nvml.h).
    install(
        monkeypatch,
        nvmlDeviceGetClockInfo=1980,
        nvmlDeviceGetTemperature=61,
        nvmlDeviceGetCurrentClocksThrottleReasons=0x24,
    )
    sensors = Worker(gpu=find_gpu()).sensors()
    assert (sensors["gpu_mhz"], sensors["gpu_temperature_c"]) == (1980, 61)
    assert sensors["gpu_throttled"] is True


def test_the_power_limit_alone_is_no_throttling(
    monkeypatch: pytest.MonkeyPatch, on_a_gpu: None
) -> None:
    install(monkeypatch, nvmlDeviceGetCurrentClocksThrottleReasons=0x4)
    sensors = Gpu().sensors()
    assert sensors == {"gpu_mhz": None, "gpu_temperature_c": None, "gpu_throttled": False}


def test_the_gpus_energy(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, str], on_a_gpu: None
) -> None:
    install(monkeypatch, nvmlDeviceGetTotalEnergyConsumption=5000)
    meter = find_meter(find_gpu())
    assert meter.name == "NVML GPU"
    meter.start()
    assert meter.stop_mj() == 0.0


def test_a_gpu_without_a_counter_has_no_meter(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, str], on_a_gpu: None
) -> None:
    install(monkeypatch)
    kernel.update(PACKAGES)
    assert find_meter(find_gpu()) is None  # the processor's energy is not the GPU's


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, on_a_gpu: None) -> None:
    nvml = fake_nvml()

    def fail() -> None:
        raise FakeError("NVML Shared Library Not Found")

    nvml.nvmlInit = fail
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_gpu() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert find_gpu() is None


def test_on_a_cpu_no_gpu_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert find_gpu() is None
