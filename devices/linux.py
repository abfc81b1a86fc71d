"""What Linux says about its processor, memory and load.

Every reader takes the root of the file system, so that tests read a tree of their own, and
answers None (or "unknown") where the kernel does not say.
"""

import os
from pathlib import Path

ROOT = Path("/")
_CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"


def read_text(path: Path) -> str | None:
    """The stripped content of a kernel file, None when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None


def cpu_model(root: Path = ROOT) -> str:
    """The processor's name; on Arm the board's, else the implementer and part numbers."""
    fields = _cpuinfo(root)
    if "model name" in fields:
        return fields["model name"]
    board = read_text(root / "proc/device-tree/model")
    if board:
        return board
    if "CPU part" in fields:
        return f"implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return "unknown"


def memory_mb(root: Path = ROOT) -> int:
    """Physical memory in MiB, 0 when unknown."""
    return (_meminfo_kib(root, "MemTotal") or 0) // 1024


def available_memory_mb(root: Path = ROOT) -> int | None:
    """Memory in MiB that can be had without swapping."""
    available = _meminfo_kib(root, "MemAvailable")
    return None if available is None else available // 1024


def governor(root: Path = ROOT) -> str:
    """The cpufreq governor of the first core, or "unknown"."""
    return read_text(root / _CPUFREQ / "scaling_governor") or "unknown"


def load_average(root: Path = ROOT) -> float | None:
    """Runnable and waiting tasks, averaged over the last minute."""
    text = read_text(root / "proc/loadavg")
    return float(text.split()[0]) if text else None


def steal_share(root: Path = ROOT) -> float | None:
    """The share of CPU time, since boot, that the hypervisor gave to somebody else."""
    text = read_text(root / "proc/stat")
    if not text:
        return None
    # user nice system idle iowait irq softirq steal; what follows is counted in user already.
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    total = sum(ticks)
    return ticks[7] / total if len(ticks) == 8 and total else None


def cpu_pressure(root: Path = ROOT) -> float | None:
    """Percent of the last ten seconds in which some task waited for a core (PSI)."""
    text = read_text(root / "proc/pressure/cpu")
    if not text:
        return None
    fields = dict(field.split("=", 1) for field in text.splitlines()[0].split()[1:])
    return float(fields["avg10"])


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores granted by the tightest cgroup above this process, None when unlimited."""
    quotas = [_quota_v2(folder) for folder in _cgroup_folders(root, "")]
    quotas += [_quota_v1(folder) for folder in _cgroup_folders(root, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def usable_cores(root: Path = ROOT) -> int:
    """Cores this process may use: its affinity mask bounded by the cgroup quota, at least 1."""
    cores = len(os.sched_getaffinity(0))
    quota = cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _cpuinfo(root: Path) -> dict[str, str]:
    """The fields of the first processor."""
    text = read_text(root / "proc/cpuinfo") or ""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _meminfo_kib(root: Path, field: str) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None


def _cgroup_folders(root: Path, controller: str) -> list[Path]:
    """This process's cgroup and all above it; controller "" is the unified hierarchy (v2)."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / controller
            leaf = top / path.lstrip("/")
            return [leaf, *(above for above in leaf.parents if above.is_relative_to(top))]
    return []


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = (read_text(folder / "cpu.max") or "max 100000").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    quota = int(read_text(folder / "cpu.cfs_quota_us") or -1)
    period = int(read_text(folder / "cpu.cfs_period_us") or 100_000)
    return None if quota < 0 else quota / period
