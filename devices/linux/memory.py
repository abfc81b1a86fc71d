"""This module reads how much memory a machine has, how much is free, and how much lies in swap."""

from devices.host import Host


def memory_mb(host: Host) -> int:
    """Return the physical memory in MiB, or 0 when it is unknown."""
    return (_meminfo_kib(host, "MemTotal") or 0) // 1024


def available_memory_mb(host: Host) -> int | None:
    """Return the memory in MiB that is available without swapping."""
    available = _meminfo_kib(host, "MemAvailable")
    return None if available is None else available // 1024


def swapped_mb(host: Host) -> int | None:
    """Return the memory in MiB that lies in swap."""
    total, free = (_meminfo_kib(host, field) for field in ("SwapTotal", "SwapFree"))
    return None if total is None or free is None else (total - free) // 1024


def _meminfo_kib(host: Host, field: str) -> int | None:
    for line in (host.read_text("/proc/meminfo") or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None
