"""An NVIDIA Jetson: its GPU, through ONNX Runtime's CUDA provider or TensorRT."""

from devices import runtimes
from devices.linux import device_tree
from devices.linux import readers as linux
from devices.linux.checks import finding, unknown
from devices.linux.cores import are_clocks_pinned
from devices.linux.device import LinuxDevice
from devices.linux.held_clocks import ClockCommands, as_root
from devices.nvidia import tegra
from devices.sensors.energy import describe_meter
from devices.spec import Facts, Finding, HardwareRuns, Severity

_CLOCKS = as_root(
    'rm -f "$0" && jetson_clocks --store "$0" && jetson_clocks',
    'jetson_clocks --restore "$0" && rm -f "$0"',
    "/run/automoe-clocks.conf",
)


class JetsonDevice(LinuxDevice):
    """The GPU of a Jetson module; its cores alone are `arm`."""

    name = "jetson"
    kind = "gpu"
    provider = runtimes.CUDA
    runtime_choices = (runtimes.ONNXRUNTIME, runtimes.TENSORRT)
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """The device tree names the system on chip."""
        if tegra.tegra_soc(self.host):
            return None
        return f"{self.host.label} is no NVIDIA Jetson ({self.what_it_is()}); {self.remedy()}"

    def model(self) -> str:
        """The board's name; a carrier board of somebody else may say anything."""
        return device_tree.model(self.host)

    def power_mode(self) -> str:
        """The mode of `nvpmodel`, and whether `jetson_clocks` has pinned all clocks in it."""
        mode = tegra.power_mode(self.host) or "unknown mode"
        return f"{mode}, {'clocks pinned' if self._is_pinned() else linux.governor(self.host)}"

    def clock_commands(self) -> ClockCommands | str | None:
        """`jetson_clocks` pins all clocks in the power mode, and remembers what they were."""
        return None if self._is_pinned() else _CLOCKS

    def traits(self) -> Facts:
        """What is fixed by module and release."""
        soc = tegra.tegra_soc(self.host) or ""
        release = tegra.l4t_release(self.host)
        facts = {
            "soc": soc,
            "compute capability": tegra.compute_capability(soc),
            "l4t": release,
            "jetpack": tegra.jetpack(release) if release else None,
            "cuda": tegra.cuda_version(self.host),
        }
        return tuple((name, value) for name, value in facts.items() if value)

    def doctor(self) -> tuple[Finding, ...]:
        """What Linux says, the power mode, the clocks and the meter."""
        return (*super().doctor(), self._check_mode(), self._check_clocks(), self._check_meter())

    def _is_pinned(self) -> bool | None:
        pinned = (are_clocks_pinned(self.host), tegra.is_gpu_clock_pinned(self.host))
        return None if None in pinned else all(pinned)

    def _check_mode(self) -> Finding:
        mode = tegra.power_mode(self.host)
        if mode is None:
            return unknown("power-mode", "its power mode (nvpmodel -q)")
        return Finding("power-mode", "ok", f"{mode}; rows of other modes do not join its log")

    def _check_clocks(self) -> Finding:
        pinned = self._is_pinned()
        if pinned is None:
            return unknown("clocks", "the bounds of its clocks")
        severity: Severity = "ok" if pinned else "warning"
        message = "all clocks are pinned" if pinned else "clocks follow the load"
        remedy = (
            "sudo jetson_clocks --store && sudo jetson_clocks; undo: sudo jetson_clocks --restore"
        )
        return finding("clocks", severity, message, remedy)

    def _check_meter(self) -> Finding:
        meter = describe_meter(self.host)
        if meter is None:
            return unknown("meter", "power (INA3221)")
        return Finding("meter", "ok", f"energy is read from {meter}")
