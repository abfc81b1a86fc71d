"""The plugin `simulated` runs nothing: it computes its times from a graph's costs.

With it the whole pipeline can be tried without hardware, and it gives the same numbers every time.
Its results say nothing about any real device, and its rows say SIMULATED.
"""

import os
import sys
from pathlib import Path

from devices.host import Host
from devices.runtimes import TELEMETRY_SWITCH
from devices.simulated_roofline import Simulation
from devices.spec import SIMULATED, DeviceInfo, Finding, HardwareRuns

SETTINGS_VARIABLE = "AUTOMOE_SIMULATED"
_WORKER = "profilers.workers.simulated"  # only a name: the worker's process imports it


class SimulatedDevice:
    """A device that follows a roofline, as AUTOMOE_SIMULATED sets it: "noise=0.02,drift=0.01".

    Args:
        host: The host that was asked for. Only this machine is allowed.
        settings: The settings; the default is those of the variable.
    """

    name = SIMULATED
    run_on_hardware: HardwareRuns = "simulated"

    def __init__(self, host: Host | None = None, settings: str | None = None) -> None:
        self._host = host
        self._settings = settings
        self._n_workers = 0

    def unavailable_reason(self) -> str | None:
        """Return that its settings are wrong or that a host was named; None otherwise."""
        if self._host is not None and not self._host.is_local:
            return "a simulated device is not on a host; leave out --host"
        try:
            self._simulation()
        except ValueError as error:
            return f"{error} Correct {SETTINGS_VARIABLE}"
        return None

    def info(self) -> DeviceInfo:
        """Return the roofline. Every setting is part of the fingerprint."""
        return DeviceInfo(
            name=self.name,
            kind=SIMULATED,
            model=f"SIMULATED roofline ({self._simulation()})",
            machine=SIMULATED,
            cores=4,
            memory_mb=4096,
            system=SIMULATED,
            power_mode=SIMULATED,
        )

    def worker_command(self, worker: Path) -> list[str]:
        """Return the argv of the simulated worker, with its number. `worker` is not used."""
        self._n_workers += 1
        # -P keeps the current folder off the path.
        program = [sys.executable, "-P", "-m", _WORKER]
        return [*program, str(self._n_workers), str(self._simulation())]

    def worker_environment(self) -> dict[str, str]:
        """Return the variable that every worker gets, although this one never imports a runtime."""
        return {TELEMETRY_SWITCH: "1"}

    def sensors(self) -> dict[str, float]:
        """Return no readings: there are no sensors."""
        return {}

    def doctor(self) -> tuple[Finding, ...]:
        """Return one finding: nothing disturbs what is computed."""
        message = "SIMULATED: times are computed from a graph's costs and nothing runs"
        return (Finding("simulated", "ok", message),)

    def _simulation(self) -> Simulation:
        settings = self._settings
        return Simulation.parse(
            os.environ.get(SETTINGS_VARIABLE, "") if settings is None else settings
        )
