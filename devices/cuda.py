"""An NVIDIA GPU in a server or a desktop, through ONNX Runtime's CUDA provider or TensorRT."""

from dataclasses import replace

from devices import runtimes
from devices.linux.checks import finding, unknown
from devices.linux.device import LinuxDevice
from devices.linux.held_clocks import ClockCommands, as_root
from devices.nvidia import tegra
from devices.nvidia.smi import Gpu, chosen_gpu, other_programs, throttled_by
from devices.spec import DeviceInfo, Finding, HardwareRuns

_MAX_TEMPERATURE_C = 80.0


class CudaDevice(LinuxDevice):
    """One GPU: the first that CUDA_VISIBLE_DEVICES names, else the first."""

    name = "cuda"
    kind = "gpu"
    provider = runtimes.CUDA
    runtime_choices = runtimes.RUNTIMES
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """A GPU must answer; a Jetson's is another plugin's."""
        if tegra.tegra_soc(self.host):
            return f"{self.host.label} is a Jetson; use --device jetson"
        gpu = chosen_gpu(self.host)
        return f"{gpu}; {self.remedy()}" if isinstance(gpu, str) else None

    def info(self) -> DeviceInfo:
        """The GPU, its driver, and as traits the processor that feeds it."""
        beside, gpu = super().info(), self._gpu()
        if gpu is None:
            return beside
        limit = "unknown" if gpu.power_limit_w is None else f"{gpu.power_limit_w:g} W"
        clocks = ", clocks held" if self.has_held_clocks else ""  # the driver does not say
        cuda = next(filter(None, map(self.host.package_version, runtimes.CUDA_WHEELS)), None)
        traits = {
            "gpu memory": f"{gpu.memory_mb} MB",
            "compute capability": gpu.compute_capability,
            "driver": gpu.driver,
            "cuda": cuda,
            "cpu": beside.model,
        }
        return replace(
            beside,
            model=gpu.name,
            power_mode=f"{limit} limit, {beside.power_mode} governor{clocks}",
            traits=tuple((name, value) for name, value in traits.items() if value),
        )

    def clock_commands(self) -> ClockCommands | str | None:
        """The GPU at its highest clock; below that it is slowed down, which blocks report.

        Undoing it takes back a lock that somebody else has set as well: the driver does not say
        whether there was one.
        """
        gpu = self._gpu()
        if gpu is None or gpu.max_clock_mhz is None:
            return "nvidia-smi does not say how high they may be"
        clock = f"{gpu.max_clock_mhz:.0f}"
        return as_root(
            'nvidia-smi -i "$0" -lgc "$1,$1" > /dev/null',
            'nvidia-smi -i "$0" -rgc > /dev/null',
            gpu.uuid,
            clock,
        )

    def worker_environment(self) -> dict[str, str]:
        """That of every worker, and which GPU it is to see."""
        gpu = self._gpu()
        chosen = {"CUDA_VISIBLE_DEVICES": gpu.uuid} if gpu else {}
        return {**super().worker_environment(), **chosen}

    def sensors(self) -> dict[str, float]:
        """What Linux and the driver report."""
        gpu = self._gpu()
        readings = {
            "temperature_gpu_c": gpu.temperature_c if gpu else None,
            "clock_gpu_mhz": gpu.clock_mhz if gpu else None,
            "power_gpu_mw": gpu.power_w * 1000 if gpu and gpu.power_w is not None else None,
        }
        known = {name: value for name, value in readings.items() if value is not None}
        return {**super().sensors(), **known}

    def doctor(self) -> tuple[Finding, ...]:
        """What Linux says, and the GPU."""
        gpu = self._gpu()
        if gpu is None:
            return (*super().doctor(), unknown("gpu", "its GPU"))
        return (
            *super().doctor(),
            _check_throttling(throttled_by(self.host, gpu)),
            *_checks(gpu),
            _check_programs(other_programs(self.host, gpu)),
        )

    def _gpu(self) -> Gpu | None:
        gpu = chosen_gpu(self.host)
        return None if isinstance(gpu, str) else gpu


def _check_programs(programs: tuple[str, ...]) -> Finding:
    if not programs:
        return Finding("gpu-programs", "ok", "nothing else computes on the GPU")
    message = f"{len(programs)} programs compute on the GPU: {', '.join(programs[:3])}"
    return Finding("gpu-programs", "problem", message, "stop them, or choose another GPU")


def _check_throttling(causes: tuple[str, ...] | None) -> Finding:
    if causes is None:
        return unknown("gpu-throttling", "what slows its GPU down")
    message = f"the GPU is slowed down by: {', '.join(causes)}" if causes else "nothing slows it"
    remedy = "let it cool down, or lower its clocks: sudo nvidia-smi -lgc MHZ; undo: -rgc"
    return finding("gpu-throttling", "warning" if causes else "ok", message, remedy)


def _checks(gpu: Gpu) -> tuple[Finding, ...]:
    hot = gpu.temperature_c is not None and gpu.temperature_c >= _MAX_TEMPERATURE_C
    return (
        finding(
            "gpu-temperature",
            "warning" if hot else "ok",
            "unknown" if gpu.temperature_c is None else f"the GPU is at {gpu.temperature_c:g} °C",
            "improve the cooling",
        ),
        finding(
            "gpu-persistence",
            "ok" if gpu.is_persistent else "warning",
            f"the driver {'stays loaded' if gpu.is_persistent else 'is loaded by each program'}",
            "sudo nvidia-smi -pm 1; undo: sudo nvidia-smi -pm 0",
        ),
        finding(
            "gpu-shared",
            "warning" if gpu.is_shared else "ok",
            f"the GPU is {'cut into instances (MIG)' if gpu.is_shared else 'one piece'}",
            "measure on a GPU without MIG: instances share memory bandwidth and power",
        ),
    )
