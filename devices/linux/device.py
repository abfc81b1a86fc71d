"""A Linux machine that is measured through ONNX Runtime: the built-in plugins are subclasses of it.

A plugin says what is special: its name, which machine it is for, and what its timings depend on
besides the processor.
"""

import sys
from pathlib import Path

from devices import runtimes
from devices.host import Host, LocalHost
from devices.linux.checks import CHECKS
from devices.linux.clock_settings import governor
from devices.linux.cores import describe_caches, describe_cores, usable_cores
from devices.linux.held_clocks import ClockCommands, governor_commands
from devices.linux.memory import memory_mb
from devices.linux.processor_name import cpu_model
from devices.linux.sensor_report import check_sensors, read_sensors
from devices.linux.virtualisation import container
from devices.sensors.cpu_quota import cpu_quota
from devices.spec import DeviceInfo, Facts, Finding, HardwareRuns, known_facts


class LinuxDevice:
    """A machine on which Linux runs.

    Args:
        host: The machine. The default is this machine.

    Attributes:
        name: The plugin's name, as in `--device cpu`.
        kind: The sort of processor that is measured.
        provider: The execution provider of ONNX Runtime. No other one may run a model.
        runtime_choices: The runtimes that the device can be measured with.
        runtime: The runtime that the device is measured with.
        run_on_hardware: Whether somebody has measured with this plugin; see `Device`.
        has_held_clocks: Whether its clocks are held at this moment.
    """

    name: str = ""
    kind: str = "cpu"
    provider: str = runtimes.CPU
    runtime_choices: tuple[str, ...] = (runtimes.ONNXRUNTIME,)
    runtime: str = runtimes.ONNXRUNTIME
    run_on_hardware: HardwareRuns = "never"
    has_held_clocks: bool = False

    def __init__(self, host: Host | None = None) -> None:
        self.host = host or LocalHost()

    def wrong_machine(self) -> str | None:
        """Return why this machine is not one that the plugin is for; None when it is."""
        return None

    def model(self) -> str:
        """Return the name of the processor that is measured."""
        return cpu_model(self.host)

    def power_mode(self) -> str:
        """Return the setting that somebody can change and that changes every timing."""
        return governor(self.host)

    def traits(self) -> Facts:
        """Return what else timings depend on. The fingerprint contains it."""
        return ()

    def clock_commands(self) -> ClockCommands | str | None:
        """See `devices.linux.held_clocks.HoldsClocks`."""
        return governor_commands(governor(self.host))

    def unavailable_reason(self) -> str | None:
        """Return why the device cannot be measured here and now; None when it can."""
        system = self.host.kernel().system
        if system != "Linux":
            return f"measuring needs Linux's /proc; {self.host.label} is {system}"
        if (reason := self.wrong_machine()) is not None:
            return reason
        missing = {
            runtime: runtimes.missing_runtime(self.host, self.provider, runtime)
            for runtime in self.runtime_choices
        }
        others = [f"--runtime {name}" for name, reason in missing.items() if reason is None]
        if (reason := missing[self.runtime]) is not None and others:
            return f"{reason}, or use {' or '.join(others)}"
        return reason

    def info(self) -> DeviceInfo:
        """Return what the machine is. It is read again at every call."""
        kernel = self.host.kernel()
        return DeviceInfo(
            name=self.name,
            kind=self.kind,
            model=self.model(),
            machine=kernel.machine,
            cores=usable_cores(self.host),
            memory_mb=memory_mb(self.host),
            system=f"{kernel.system} {kernel.release}",
            power_mode=self.power_mode(),
            traits=self.traits(),
            details=self._details(),
        )

    def worker_command(self, worker: Path) -> list[str]:
        """Return the argv that runs `worker` in this interpreter."""
        return [sys.executable, str(worker)]

    def worker_environment(self) -> dict[str, str]:
        """Return the variables that are added to the worker's environment."""
        return runtimes.worker_environment(self.provider, self.runtime)

    def sensors(self) -> dict[str, float]:
        """Return the present readings of the sensors, by name and unit."""
        return read_sensors(self.host)

    def doctor(self) -> tuple[Finding, ...]:
        """Return what would disturb a measurement there."""
        return (
            runtimes.check_runtime(self.host, self.provider, self.runtime),
            runtimes.check_telemetry(self.host),
            *(check(self.host) for check in CHECKS),
            check_sensors(self.sensors()),
        )

    def what_it_is(self) -> str:
        """Return what the machine is, for messages: "x86_64, AMD EPYC"."""
        return f"{self.host.kernel().machine}, {cpu_model(self.host)}"

    def remedy(self) -> str:
        """Return what the user can do when the machine is not the right one."""
        if self.host.is_local:
            return f"reach one with --device {self.name} --host user@address"
        return f"see what the machine is with: automoe devices --host {self.host.label}"

    def _details(self) -> Facts:
        quota = cpu_quota(self.host)
        facts = {
            "cores": describe_cores(self.host),
            "caches": describe_caches(self.host),
            "container": container(self.host),
            "cpu quota": None if quota is None else f"{quota:.2f} cores",
        }
        return (*known_facts(facts), *runtimes.describe_runtimes(self.host))
