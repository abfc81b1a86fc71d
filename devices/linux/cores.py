"""This module describes the cores of a processor: usable ones, kinds, clocks, capacity, caches."""

from collections import Counter

from devices.host import Host
from devices.linux.arm_cores import arm_core
from devices.linux.processor_name import cpuinfo
from devices.sensors.cpu_quota import cpu_quota
from devices.sensors.machine import CPUS

_CACHE_LETTERS = {"Data": "d", "Instruction": "i"}


def usable_cores(host: Host) -> int:
    """Return the number of cores that this process may use, at least 1.

    The affinity mask and the cgroup quota limit it.
    """
    cores = len(host.usable_cpus())
    quota = cpu_quota(host)
    return cores if quota is None else max(1, min(cores, int(quota)))


def shared_cores(host: Host) -> tuple[tuple[int, ...], ...] | None:
    """Return the usable processors that are threads of one core, for each such core."""
    usable = host.usable_cpus()
    lists = {
        cpu: host.read_text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") for cpu in usable
    }
    if not any(lists.values()):
        return None
    cores = {tuple(x for x in _numbers(text) if x in lists) for text in lists.values() if text}
    return tuple(sorted(core for core in cores if len(core) > 1))


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


def _numbers(text: str) -> list[int]:
    """Return the numbers of a kernel list such as "0-2,8"."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
