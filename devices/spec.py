"""The vocabulary of the lowest layer: what a device is and what every device answers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Severity = Literal["ok", "warning", "problem"]
HardwareRuns = Literal["yes", "never", "simulated"]
SIMULATED = "simulated"
Facts = tuple[tuple[str, str], ...]


class DeviceUnavailableError(RuntimeError):
    """A known device that cannot be used here and now; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """A machine as its measurements must remember it.

    Attributes:
        name: The plugin's name, as in `--device cpu`.
        kind: The sort of processor measured, e.g. "cpu".
        model: The processor's own name, or "unknown".
        machine: The instruction set, e.g. "x86_64" or "aarch64".
        cores: Usable cores: the affinity mask bounded by the cgroup quota.
        memory_mb: Physical memory in MiB.
        system: Operating system and kernel release.
        power_mode: The cpufreq governor or the board's mode, or "unknown".
        traits: What else timings there depend on, as pairs of name and value: the GPU, its
            driver, the board's release.
        details: What is good to know but changes no timing by itself, or has a column of its
            own: kinds of cores, caches, container limits, runtimes.
    """

    name: str
    kind: str
    model: str
    machine: str
    cores: int
    memory_mb: int
    system: str
    power_mode: str
    traits: Facts = ()
    details: Facts = ()

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change when timings stop being comparable.

        The power mode is left out because it has its own column; memory counts in whole GiB
        because kernels reserve slightly different amounts of it.
        """
        memory_gib = round(self.memory_mb / 1024)
        stable = [self.kind, self.model, self.machine, self.cores, memory_gib, self.system]
        stable += [list(trait) for trait in self.traits]
        return hashlib.sha256(json.dumps(stable).encode()).hexdigest()[:12]

    @property
    def is_simulated(self) -> bool:
        """Whether times on it are computed, so that they say nothing about any machine."""
        return self.kind == SIMULATED

    def to_dict(self) -> dict[str, Any]:
        """Every field and the fingerprint, as JSON values."""
        pairs = {"traits": dict(self.traits), "details": dict(self.details)}
        return {**asdict(self), **pairs, "fingerprint": self.fingerprint}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the doctor looked at.

    Attributes:
        check: Short name of the check, e.g. "governor".
        severity: "ok", "warning" (timings get noisier) or "problem" (do not measure).
        message: What was found, with its value.
        remedy: What to do about it; empty when nothing is to be done.
    """

    check: str
    severity: Severity
    message: str
    remedy: str = ""


@runtime_checkable
class Device(Protocol):
    """A machine that can run the worker, here or elsewhere.

    Attributes:
        name: As in `--device cpu`.
        run_on_hardware: "yes" once somebody has measured with this plugin on such a machine and
            looked at the result, "never" before that, "simulated" when there is no such machine.
    """

    name: str
    run_on_hardware: HardwareRuns

    def unavailable_reason(self) -> str | None:
        """Why this device cannot be used here and now; None when it can."""
        ...

    def info(self) -> DeviceInfo:
        """What this machine is, read afresh."""
        ...

    def worker_environment(self) -> dict[str, str]:
        """The variables to add to the child's environment; it must disable ORT telemetry."""
        ...

    def sensors(self) -> dict[str, float]:
        """What its sensors say now, by name and unit, e.g. {"temperature_cpu_c": 48.1}."""
        ...

    def doctor(self) -> tuple[Finding, ...]:
        """What would disturb a measurement there, each with its remedy."""
        ...


@runtime_checkable
class LocalDevice(Device, Protocol):
    """A device that a child of this process measures: what every plugin implements.

    Plugins are classes that need no arguments, and take the `Host` to describe where it is not
    this one.
    """

    def worker_command(self, worker: Path) -> list[str]:
        """The argv of a local child whose stdin and stdout speak with `worker` on the device."""
        ...
