"""What NVIDIA's driver says of a GPU while something is measured, through NVML."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

# nvml.h, nvmlClocksThrottleReason*: what slows a GPU down. Idling is no throttling.
THROTTLE_BITS = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "temperature",
    0x40: "temperature (hardware)",
    0x80: "power brake",
}
POWER_LIMIT = 0x4  # somebody has set it, so it disturbs no measurement


class Gpu:
    """The GPU that models run on: CUDA_VISIBLE_DEVICES gives its UUID, else it is the first.

    Raises:
        Exception: nvidia-ml-py, the driver or the GPU is missing; each has a class of its own.
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
        """The answer to a question; None where this GPU has none."""
        try:
            return question(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def counts_energy(self) -> bool:
        """Whether this GPU counts its energy."""
        return self.ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption) is not None

    def energy_mj(self) -> float:
        """The energy that the GPU has used since its driver was loaded, in millijoules."""
        return float(self.ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption) or 0.0)

    def sensors(self) -> Dict[str, Any]:
        """The clock, the temperature, and whether heat or the power supply slows the GPU down."""
        bits = self.ask(self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        disturbing = sum(THROTTLE_BITS) - POWER_LIMIT
        return {
            "gpu_mhz": self.ask(self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_SM),
            "gpu_temperature_c": self.ask(self.nvml.nvmlDeviceGetTemperature, 0),
            "gpu_throttled": None if bits is None else bool(bits & disturbing),
        }


def find_gpu() -> Optional[Gpu]:
    """The GPU that models run on; None where it cannot be asked."""
    try:
        return Gpu()
    except Exception:  # several packages have classes of their own; the sensors then say nothing
        return None
