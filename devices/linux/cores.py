"""This module describes the cores of a processor: kinds, clocks, relative capacity and caches."""

from collections import Counter

from devices.host import Host
from devices.linux.arm_cores import arm_core
from devices.linux.readers import cpuinfo
from devices.sensors.processor import CPUS

_CACHE_LETTERS = {"Data": "d", "Instruction": "i"}


def describe_cores(host: Host) -> str:
    """Return the usable cores by kind: "4 x Cortex-A76, up to 2400 MHz, capacity 1024"."""
    parts = _parts(host)
    kinds = Counter(_kind(host, cpu, parts.get(cpu)) for cpu in host.usable_cpus())
    return "; ".join(f"{count} x {kind}" for kind, count in kinds.items())


def describe_caches(host: Host) -> str | None:
    """Return the caches of the first usable core: "L1d 64K, L1i 64K, L2 512K, L3 2048K"."""
    folders = host.glob(f"{CPUS}/cpu{host.usable_cpus()[0]}/cache/index[0-9]*")
    caches = [_cache(host, folder) for folder in folders]
    return ", ".join(cache for cache in caches if cache) or None


def are_clocks_held(host: Host) -> bool | None:
    """Return whether each usable core has one clock only; None when the kernel does not say."""
    bounds = [
        [host.read_text(f"{CPUS}/cpu{cpu}/cpufreq/scaling_{end}_freq") for end in ("min", "max")]
        for cpu in host.usable_cpus()
    ]
    known = [pair for pair in bounds if all(pair)]
    return all(low == high for low, high in known) if known else None


def _kind(host: Host, cpu: int, part: str | None) -> str:
    khz = host.read_text(f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq")
    capacity = host.read_text(f"{CPUS}/cpu{cpu}/cpu_capacity")
    facts = [
        part or "core",
        f"up to {int(khz) // 1000} MHz" if khz and khz.isdigit() else "",
        f"capacity {capacity}" if capacity else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def _parts(host: Host) -> dict[int, str]:
    """Return the name of each Arm core."""
    names = {}
    for fields in cpuinfo(host):
        if "CPU part" in fields and fields.get("processor", "").isdigit():
            core = arm_core(fields.get("CPU implementer", "?"), fields["CPU part"])
            names[int(fields["processor"])] = core
    return names


def _cache(host: Host, folder: str) -> str | None:
    level, kind, size = (host.read_text(f"{folder}/{name}") for name in ("level", "type", "size"))
    if not level or not size:
        return None
    return f"L{level}{_CACHE_LETTERS.get(kind or '', '')} {size}"
