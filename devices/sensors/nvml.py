"""This module asks NVIDIA's driver about a GPU while something is measured, through NVML."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

# The reasons of nvml.h (nvmlClocksThrottleReason*) that slow a GPU down; idling is not one.
THROTTLE_BITS = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "temperature",
    0x40: "temperature (hardware)",
    0x80: "power brake",
}
POWER_LIMIT = 0x4  # somebody has set it, so it is the same in every measurement


class Gpu:
    """The GPU that models run on.

    CUDA_VISIBLE_DEVICES gives its UUID. Without a UUID it is the first GPU.

    Raises:
        Exception: nvidia-ml-py, the driver or the GPU is missing. Each has an exception class of
            its own.
    """

    def __init__(self) -> None:
        import pynvml

        self.nvml = pynvml
        pynvml.nvmlInit()
        uuid = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        by_uuid = uuid.startswith("GPU-")
        find = pynvml.nvmlDeviceGetHandleByUUID if by_uuid else pynvml.nvmlDeviceGetHandleByIndex
        self.handle = find(uuid if by_uuid else 0)

    def ask(self, question: Any, *arguments: Any) -> Any:
        """Return the answer to a question; None when this GPU has none."""
        try:
            return question(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def counts_energy(self) -> bool:
        """Return whether this GPU counts its energy."""
        return self.ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption) is not None

    def energy_mj(self) -> float:
        """Return the energy that the GPU has used since its driver was loaded, in millijoules."""
        return float(self.ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption) or 0.0)

    def sensors(self) -> Dict[str, Any]:
        """Return the clock in MHz, the temperature in °C, and whether the GPU is slowed down.

        A power limit that somebody has set does not count, because it disturbs no measurement.
        """
        bits = self.ask(self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        disturbing = sum(THROTTLE_BITS) - POWER_LIMIT
        return {
            "gpu_mhz": self.ask(self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_SM),
            "gpu_temperature_c": self.ask(self.nvml.nvmlDeviceGetTemperature, 0),
            "gpu_throttled": None if bits is None else bool(bits & disturbing),
        }


def find_gpu() -> Optional[Gpu]:
    """Return the GPU that models run on; None when it cannot be asked."""
    try:
        return Gpu()
    except Exception:  # pynvml and the driver have exceptions of their own
        return None
