"""The plugin `cuda` measures an NVIDIA GPU through ONNX Runtime's CUDA provider or TensorRT."""

from dataclasses import replace

from devices import runtimes
from devices.linux.device import LinuxDevice
from devices.linux.held_clocks import ClockCommands, as_root
from devices.nvidia import tegra
from devices.nvidia.smi import Gpu, chosen_gpu, other_programs, throttled_by
from devices.spec import DeviceInfo, Finding, HardwareRuns, known_facts, unknown, warning_if

_MAX_TEMPERATURE_C = 80.0
_NVML = "nvidia-ml-py"  # of the extra cuda


class CudaDevice(LinuxDevice):
    """One GPU of a server or a desktop.

    It is the first one that CUDA_VISIBLE_DEVICES names, or else the first of the machine.
    """

    name = "cuda"
    kind = "gpu"
    provider = runtimes.CUDA
    runtime_choices = runtimes.RUNTIMES
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """Return why the machine has no GPU for this plugin; None when one answers.

        A Jetson's GPU has a plugin of its own.
        """
        if tegra.tegra_soc(self.host):
            return f"{self.host.label} is a Jetson; use --device jetson"
        gpu = chosen_gpu(self.host)
        return f"{gpu}; {self.remedy()}" if isinstance(gpu, str) else None

    def info(self) -> DeviceInfo:
        """Return the description of the GPU and its driver. Its traits name the CPU beside it."""
        beside, gpu = super().info(), self._gpu()
        if gpu is None:
            return beside
        limit = "unknown" if gpu.power_limit_w is None else f"{gpu.power_limit_w:g} W"
        clocks = ", clocks held" if self.has_held_clocks else ""  # the driver does not say it
        traits: dict[str, str | None] = {
            "gpu memory": None if gpu.memory_mb is None else f"{gpu.memory_mb:.0f} MB",
            "compute capability": gpu.compute_capability,
            "driver": gpu.driver,
            "cuda": runtimes.first_version(self.host, runtimes.CUDA_WHEELS),
            "cpu": beside.model,
        }
        return replace(
            beside,
            model=gpu.name,
            power_mode=f"{limit} limit, {beside.power_mode} governor{clocks}",
            traits=known_facts(traits),
        )

    def clock_commands(self) -> ClockCommands | str | None:
        """Return the commands that hold the GPU at its highest clock and release it.

        A GPU that cannot keep this clock is slowed down, which blocks report. Releasing the clock
        also removes a limit that somebody else has set, because the driver does not say whether
        there was one.
        """
        gpu = self._gpu()
        if gpu is None or gpu.max_clock_mhz is None:
            return "nvidia-smi does not say how high they may be"
        return as_root(
            'nvidia-smi -i "$0" -lgc "$1,$1" > /dev/null',
            'nvidia-smi -i "$0" -rgc > /dev/null',
            gpu.uuid,
            f"{gpu.max_clock_mhz:.0f}",
        )

    def worker_environment(self) -> dict[str, str]:
        """Return the environment of every worker, with the one GPU that it may see."""
        gpu = self._gpu()
        chosen = {"CUDA_VISIBLE_DEVICES": gpu.uuid} if gpu else {}
        return {**super().worker_environment(), **chosen}

    def sensors(self) -> dict[str, float]:
        """Return what Linux and the driver report."""
        gpu = self._gpu()
        readings = {
            "temperature_gpu_c": gpu.temperature_c if gpu else None,
            "clock_gpu_mhz": gpu.clock_mhz if gpu else None,
            "power_gpu_mw": gpu.power_w * 1000 if gpu and gpu.power_w is not None else None,
        }
        known = {name: value for name, value in readings.items() if value is not None}
        return {**super().sensors(), **known}

    def doctor(self) -> tuple[Finding, ...]:
        """Return what Linux and the GPU have to say."""
        gpu = self._gpu()
        if gpu is None:
            return (*super().doctor(), unknown("gpu", "its GPU"))
        return (
            *super().doctor(),
            _check_throttling(throttled_by(self.host, gpu)),
            *_checks(gpu),
            _check_programs(other_programs(self.host, gpu)),
            _check_nvml(self.host.package_version(_NVML), self.host.label),
        )

    def _gpu(self) -> Gpu | None:
        gpu = chosen_gpu(self.host)
        return None if isinstance(gpu, str) else gpu


def _check_nvml(version: str | None, where: str) -> Finding:
    is_there = f"{_NVML} is {version or 'not installed'} on {where}"
    without = "rows have no clock, heat and energy of the GPU"
    message = is_there if version else f"{is_there}: {without}"
    return warning_if(version is None, "gpu-sensors", message, f"run there: pip install {_NVML}")


def _check_programs(programs: tuple[str, ...]) -> Finding:
    if not programs:
        return Finding("gpu-programs", "ok", "nothing else computes on the GPU")
    message = f"{len(programs)} programs compute on the GPU: {', '.join(programs[:3])}"
    return Finding("gpu-programs", "problem", message, "stop them, or choose another GPU")


def _check_throttling(causes: tuple[str, ...] | None) -> Finding:
    if causes is None:
        return unknown("gpu-throttling", "what slows its GPU down")
    message = (
        f"the GPU is slowed down by: {', '.join(causes)}" if causes else "nothing slows it down"
    )
    remedy = "let it cool down, or lower its clocks: sudo nvidia-smi -lgc MHZ; undo: -rgc"
    return warning_if(bool(causes), "gpu-throttling", message, remedy)


def _checks(gpu: Gpu) -> tuple[Finding, ...]:
    degrees = gpu.temperature_c
    temperature = "unknown" if degrees is None else f"the GPU is at {degrees:g} °C"
    is_hot = degrees is not None and degrees >= _MAX_TEMPERATURE_C
    loading = f"the driver {'stays loaded' if gpu.is_persistent else 'is loaded by each program'}"
    keep_loaded = "sudo nvidia-smi -pm 1; undo: sudo nvidia-smi -pm 0"
    pieces = f"the GPU is {'divided into instances (MIG)' if gpu.is_shared else 'not divided'}"
    whole = "measure on a GPU without MIG: instances share memory bandwidth and power"
    return (
        warning_if(is_hot, "gpu-temperature", temperature, "improve the cooling"),
        warning_if(not gpu.is_persistent, "gpu-persistence", loading, keep_loaded),
        warning_if(gpu.is_shared, "gpu-shared", pieces, whole),
    )
