"""The GPU through an imitation of NVIDIA's driver."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from devices.sensors.nvml import Gpu, find_gpu


class ImitatedError(Exception):
    """As pynvml.NVMLError."""


def imitated_nvml(**answers: Any) -> Any:
    def answer(name: str) -> Any:
        def ask(handle: str, *arguments: Any) -> Any:
            if name not in answers:
                raise ImitatedError("Not Supported")
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
        NVMLError=ImitatedError,
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: f"handle of {uuid}",
        nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
        **functions,
    )


def install(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", imitated_nvml(**answers))


def test_the_gpu_is_found_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb2222")
    assert Gpu().handle == "handle of GPU-bbbb2222"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert Gpu().handle == "handle 0"


def test_its_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0x24: its power limit, a setting, and heat, a disturbance (nvml.h).
    install(
        monkeypatch,
        nvmlDeviceGetClockInfo=1980,
        nvmlDeviceGetTemperature=61,
        nvmlDeviceGetCurrentClocksThrottleReasons=0x24,
    )
    assert Gpu().sensors() == {"gpu_mhz": 1980, "gpu_temperature_c": 61, "gpu_throttled": True}


@pytest.mark.parametrize(
    ("bits", "throttled"),
    [(0x1, False), (0x4, False), (0x8, True), (0x20, True), (0x40, True), (0x80, True)],
)
def test_idling_and_the_power_limit_alone_are_no_throttling(
    monkeypatch: pytest.MonkeyPatch, bits: int, throttled: bool
) -> None:
    install(monkeypatch, nvmlDeviceGetCurrentClocksThrottleReasons=bits)
    sensors = Gpu().sensors()
    assert sensors == {"gpu_mhz": None, "gpu_temperature_c": None, "gpu_throttled": throttled}


def test_its_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, nvmlDeviceGetTotalEnergyConsumption=5000)
    assert (Gpu().counts_energy(), Gpu().energy_mj()) == (True, 5000.0)
    install(monkeypatch)
    assert not Gpu().counts_energy()


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = imitated_nvml()

    def fail() -> None:
        raise ImitatedError("NVML Shared Library Not Found")

    nvml.nvmlInit = fail
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_gpu() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert find_gpu() is None
