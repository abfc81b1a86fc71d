"""The vocabulary of the lowest layer: what a device is and what every device answers."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Severity = Literal["ok", "warning", "problem"]


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
    """

    name: str
    kind: str
    model: str
    machine: str
    cores: int
    memory_mb: int
    system: str
    power_mode: str

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change when timings stop being comparable.

        The power mode is left out because it has its own column; memory counts in whole GiB
        because kernels reserve slightly different amounts of it.
        """
        memory_gib = round(self.memory_mb / 1024)
        stable = [self.kind, self.model, self.machine, self.cores, memory_gib, self.system]
        return hashlib.sha256(json.dumps(stable).encode()).hexdigest()[:12]


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
    """A machine that can run the worker. Plugins are classes that need no arguments."""

    name: str

    def unavailable_reason(self) -> str | None:
        """Why this device cannot be used here and now; None when it can."""
        ...

    def info(self) -> DeviceInfo:
        """What this machine is, read afresh."""
        ...

    def worker_command(self, worker: Path) -> list[str]:
        """The argv of a local child whose stdin and stdout speak with `worker` on the device."""
        ...

    def worker_environment(self) -> dict[str, str]:
        """The variables to add to the child's environment; it must disable ORT telemetry."""
        ...

    def doctor(self) -> tuple[Finding, ...]:
        """What would disturb a measurement there, each with its remedy."""
        ...
