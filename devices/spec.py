"""This module defines what a device is, and what every device answers."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from devices.plain_text import plain_line

Severity = Literal["ok", "warning", "problem"]
HardwareRuns = Literal["yes", "never", "simulated"]
SIMULATED = "simulated"
Facts = tuple[tuple[str, str], ...]


class DeviceUnavailableError(RuntimeError):
    """A known device cannot be used here and now. The message says why."""


class DeviceBusyError(DeviceUnavailableError):
    """Another session measures on the machine. It can be used when that session ends.

    Attributes:
        who: The sentence that says who measures where.
    """

    def __init__(self, machine: str, holder: str) -> None:
        self.who = f"Another session measures on {machine} ({holder})."
        super().__init__(
            f"{self.who} Wait for its end, or stop it: two at once would disturb each other."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """The description of a machine that is kept with its measurements.

    Attributes:
        name: The plugin's name, as in `--device cpu`.
        kind: The sort of processor that is measured, e.g. "cpu".
        model: The processor's own name, or "unknown".
        machine: The instruction set, e.g. "x86_64" or "aarch64".
        cores: The number of usable cores: the affinity mask, limited by the cgroup quota.
        memory_mb: The physical memory in MiB.
        system: The operating system and its kernel's release.
        power_mode: The cpufreq governor or the board's mode, or "unknown".
        traits: The other facts that timings depend on, as pairs of name and value: the GPU, its
            driver, the board's release.
        details: The facts that change no timing by themselves or have a column of their own: kinds
            of cores, caches, container limits, runtimes.
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

    def __post_init__(self) -> None:
        """Make every text one line that a terminal and a table can show."""
        for name in ("name", "kind", "model", "machine", "system", "power_mode"):
            object.__setattr__(self, name, plain_line(getattr(self, name)))
        for name in ("traits", "details"):
            facts = tuple((key, plain_line(text)) for key, text in getattr(self, name))
            object.__setattr__(self, name, facts)

    @property
    def fingerprint(self) -> str:
        """Return twelve hexadecimal digits, which change when timings are no longer comparable.

        The power mode is left out because it has its own column. Memory counts in whole GiB because
        kernels reserve slightly different amounts of it.
        """
        memory_gib = round(self.memory_mb / 1024)
        stable = [self.kind, self.model, self.machine, self.cores, memory_gib, self.system]
        stable += [list(trait) for trait in self.traits]
        return hashlib.sha256(json.dumps(stable).encode()).hexdigest()[:12]

    @property
    def is_simulated(self) -> bool:
        """Return whether the device's times are computed, so that they describe no real machine."""
        return self.kind == SIMULATED

    def to_dict(self) -> dict[str, Any]:
        """Return every field and the fingerprint, as JSON values."""
        pairs = {"traits": dict(self.traits), "details": dict(self.details)}
        return {**asdict(self), **pairs, "fingerprint": self.fingerprint}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the doctor.

    Attributes:
        check: The short name of the check, e.g. "governor".
        severity: The kind of result: "ok", "warning" (timings vary more) or "problem" (do not
            measure).
        message: The state that the check saw, with its value.
        remedy: The thing that the user can do; empty when nothing is to be done.
    """

    check: str
    severity: Severity
    message: str
    remedy: str = ""


def finding(check: str, severity: Severity, message: str, remedy: str) -> Finding:
    """Return a finding that has its remedy only when there is something to do."""
    return Finding(check, severity, message, "" if severity == "ok" else remedy)


def warning_if(is_disturbed: bool, check: str, message: str, remedy: str) -> Finding:
    """Return a finding that is a warning when timings are disturbed, and "ok" otherwise."""
    return finding(check, "warning" if is_disturbed else "ok", message, remedy)


def unknown(check: str, what: str) -> Finding:
    """Return the finding for something that a machine does not report. This is not a problem."""
    return Finding(check, "ok", f"unknown: this host does not report {what}")


def known_facts(facts: Mapping[str, str | None]) -> Facts:
    """Return the facts that have a value, as pairs of name and value."""
    return tuple((name, value) for name, value in facts.items() if value)


@runtime_checkable
class Device(Protocol):
    """A machine that can run the worker, here or elsewhere.

    Attributes:
        name: The plugin's name, as in `--device cpu`.
        run_on_hardware: "yes" when somebody has measured with this plugin on such a machine and
            looked at the result, "never" before that, "simulated" when there is no such machine.
    """

    name: str
    run_on_hardware: HardwareRuns

    def unavailable_reason(self) -> str | None:
        """Return why this device cannot be used here and now; None when it can."""
        ...

    def info(self) -> DeviceInfo:
        """Return what this machine is. It is read again at every call."""
        ...

    def worker_environment(self) -> dict[str, str]:
        """Return the variables that are added to the worker's environment.

        They must switch off the telemetry of ONNX Runtime.
        """
        ...

    def sensors(self) -> dict[str, float]:
        """Return the present readings by name and unit, e.g. {"temperature_cpu_c": 48.1}."""
        ...

    def doctor(self) -> tuple[Finding, ...]:
        """Return what would disturb a measurement there, with its remedies."""
        ...


@runtime_checkable
class LocalDevice(Device, Protocol):
    """A device that a child process on this machine measures. Every plugin implements this class.

    A plugin is a class that needs no arguments. It takes the `Host` to describe when it is not this
    machine.
    """

    def worker_command(self, worker: Path) -> list[str]:
        """Return the argv of a local child process that runs `worker` on the device.

        The client talks to the worker over the child's stdin and stdout.
        """
        ...
