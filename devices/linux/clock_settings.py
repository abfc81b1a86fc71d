"""This module reads what the kernel is told about the clocks of cores: governor, turbo, bounds."""

from devices.host import Host
from devices.sensors.machine import CPUS


def governor(host: Host) -> str:
    """Return the cpufreq governor of the usable cores, or "unknown".

    Where the cores have different governors, all are returned: "performance+schedutil".
    """
    files = [f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor" for cpu in host.usable_cpus()]
    return "+".join(sorted({text for text in map(host.read_text, files) if text})) or "unknown"


def turbo(host: Host) -> bool | None:
    """Return whether cores may run faster than their nominal clock."""
    if (off := host.read_text(f"{CPUS}/intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = host.read_text(f"{CPUS}/cpufreq/boost")
    return None if boost is None else boost != "0"


def are_clocks_held(host: Host) -> bool | None:
    """Return whether each usable core has one clock only; None when the kernel does not say."""
    bounds = [
        [host.read_text(f"{CPUS}/cpu{cpu}/cpufreq/scaling_{end}_freq") for end in ("min", "max")]
        for cpu in host.usable_cpus()
    ]
    known = [pair for pair in bounds if all(pair)]
    return all(low == high for low, high in known) if known else None
