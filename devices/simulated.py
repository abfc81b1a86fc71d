"""A machine that does not exist: it computes its times from a graph's costs and runs nothing.

For trying the whole pipeline without hardware, the same figures every time. What it reports says
nothing about any real device; its rows say SIMULATED.
"""

import os
import sys
from pathlib import Path

from devices.host import Host
from devices.runtimes import TELEMETRY_SWITCH
from devices.simulation import Simulation
from devices.spec import SIMULATED, DeviceInfo, Finding, HardwareRuns

SETTINGS_VARIABLE = "AUTOMOE_SIMULATED"
_WORKER = "profilers.workers.simulated"  # a name only: it is imported in the worker's process


class SimulatedDevice:
    """A roofline, set by AUTOMOE_SIMULATED="noise=0.02,drift=0.01" or so.

    Args:
        host: Another machine, of which there is none.
        settings: As in the variable.
    """

    name = SIMULATED
    run_on_hardware: HardwareRuns = "simulated"

    def __init__(self, host: Host | None = None, settings: str | None = None) -> None:
        self._host = host
        self._settings = settings
        self._n_workers = 0

    def unavailable_reason(self) -> str | None:
        """Its settings are wrong, or a host was named."""
        if self._host is not None and not self._host.is_local:
            return "a simulated device is on no host; leave out --host"
        try:
            self._simulation()
        except ValueError as error:
            return f"{error} Correct {SETTINGS_VARIABLE}"
        return None

    def info(self) -> DeviceInfo:
        """The roofline; every setting is part of the fingerprint."""
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
        """The argv of the simulated worker, in place of the real one; it is told its number."""
        self._n_workers += 1
        # -P: the folder that this program runs in stays off the path.
        program = [sys.executable, "-P", "-m", _WORKER]
        return [*program, str(self._n_workers), str(self._simulation())]

    def worker_environment(self) -> dict[str, str]:
        """That of every worker, though this one never imports a runtime."""
        return {TELEMETRY_SWITCH: "1"}

    def sensors(self) -> dict[str, float]:
        """It has none."""
        return {}

    def doctor(self) -> tuple[Finding, ...]:
        """Nothing disturbs what is computed."""
        message = "SIMULATED: times are computed from a graph's costs, nothing runs"
        return (Finding("simulated", "ok", message),)

    def _simulation(self) -> Simulation:
        settings = self._settings
        return Simulation.parse(
            os.environ.get(SETTINGS_VARIABLE, "") if settings is None else settings
        )
