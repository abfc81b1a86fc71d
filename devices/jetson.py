"""The plugin `jetson` measures a Jetson's GPU through ONNX Runtime's CUDA provider or TensorRT."""

from devices import runtimes
from devices.linux import device_tree
from devices.linux.clock_settings import are_clocks_held, governor
from devices.linux.device import LinuxDevice
from devices.linux.held_clocks import ClockCommands, as_root
from devices.nvidia import tegra
from devices.sensors.energy import find_meter
from devices.spec import Facts, Finding, HardwareRuns, known_facts, unknown, warning_if

_CLOCKS = as_root(
    'rm -f "$0" && jetson_clocks --store "$0" && jetson_clocks',
    'jetson_clocks --restore "$0" && rm -f "$0"',
    "/run/automoe-clocks.conf",
)


class JetsonDevice(LinuxDevice):
    """The GPU of an NVIDIA Jetson module. Its cores alone are measured as `arm`."""

    name = "jetson"
    kind = "gpu"
    provider = runtimes.CUDA
    runtime_choices = (runtimes.ONNXRUNTIME, runtimes.TENSORRT)
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """Return why the machine is not a Jetson, by its device tree; None when it is one."""
        if tegra.tegra_soc(self.host):
            return None
        return f"{self.host.label} is not an NVIDIA Jetson ({self.what_it_is()}); {self.remedy()}"

    def model(self) -> str:
        """Return the board's name. Makers of carrier boards choose it freely."""
        return device_tree.model(self.host)

    def power_mode(self) -> str:
        """Return the mode of `nvpmodel`, and whether `jetson_clocks` holds all clocks."""
        mode = tegra.power_mode(self.host) or "unknown mode"
        return f"{mode}, {'clocks pinned' if self._are_clocks_held() else governor(self.host)}"

    def clock_commands(self) -> ClockCommands | str | None:
        """Return the commands of `jetson_clocks`, which holds all clocks and can restore them."""
        return None if self._are_clocks_held() else _CLOCKS

    def traits(self) -> Facts:
        """Return what the module and the release of its software fix."""
        soc = tegra.tegra_soc(self.host) or ""
        release = tegra.l4t_release(self.host)
        facts: dict[str, str | None] = {
            "soc": soc,
            "compute capability": tegra.COMPUTE_CAPABILITIES.get(soc),
            "l4t": release,
            "jetpack": tegra.jetpack(release) if release else None,
            "cuda": tegra.cuda_version(self.host),
        }
        return known_facts(facts)

    def doctor(self) -> tuple[Finding, ...]:
        """Return what Linux, the power mode, the clocks and the meter have to say."""
        return (*super().doctor(), self._check_mode(), self._check_clocks(), self._check_meter())

    def _are_clocks_held(self) -> bool | None:
        held = (are_clocks_held(self.host), tegra.is_gpu_clock_held(self.host))
        return None if None in held else all(held)

    def _check_mode(self) -> Finding:
        mode = tegra.power_mode(self.host)
        if mode is None:
            return unknown("power-mode", "its power mode (nvpmodel -q)")
        return Finding("power-mode", "ok", f"{mode}; rows of other modes do not join its log")

    def _check_clocks(self) -> Finding:
        are_held = self._are_clocks_held()
        if are_held is None:
            return unknown("clocks", "the bounds of its clocks")
        message = "all clocks are held" if are_held else "clocks follow the load"
        remedy = (
            "sudo jetson_clocks --store && sudo jetson_clocks; undo: sudo jetson_clocks --restore"
        )
        return warning_if(not are_held, "clocks", message, remedy)

    def _check_meter(self) -> Finding:
        meter = find_meter(self.host)
        if meter is None:
            return unknown("meter", "power (INA3221)")
        return Finding("meter", "ok", f"energy is read from {meter.name}")
