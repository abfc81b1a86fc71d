"""What Linux says about its processor, memory and load.

Every reader takes the root of the file system, so that tests read a tree of their own, and
answers None (or "unknown") where the kernel does not say.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_CPUFREQ = f"{_CPUS}/cpu0/cpufreq"
_BOARD_STATE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_CONTAINER_FILES = {".dockerenv": "docker", "run/.containerenv": "podman"}
_CONTAINERS = re.compile(r"docker|podman|libpod|kubepods|containerd|lxc")


class QuotaStops(NamedTuple):
    """How often, and for how long, a CPU quota stopped this process's cgroups."""

    n_stops: int
    seconds: float


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


def quota_stops(root: Path = ROOT) -> QuotaStops | None:
    """What CPU quotas cost so far, over this process's cgroup and all above it."""
    folders = _cgroup_folders(root, "") + _cgroup_folders(root, "cpu")
    stops = [stop for folder in folders if (stop := _quota_stop(folder)) is not None]
    if not stops:
        return None
    return QuotaStops(sum(s.n_stops for s in stops), sum(s.seconds for s in stops))


def turbo(root: Path = ROOT) -> bool | None:
    """Whether cores may run faster than their nominal clock."""
    if (off := read_text(root / _CPUS / "intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = read_text(root / _CPUS / "cpufreq/boost")
    return None if boost is None else boost != "0"


def throttle_events(root: Path = ROOT) -> int | None:
    """How often the hottest x86 core or package slowed down since boot."""
    paths = (root / _CPUS).glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [int(text) for text in map(read_text, paths) if text and text.isdigit()]
    return max(counts, default=None)


def board_state(root: Path = ROOT) -> int | None:
    """The bits that a Raspberry Pi's firmware sets when it slows down.

    Now: 0 too little voltage, 1 capped clock, 2 throttling, 3 temperature limit. Bits 16 to 19
    are the same, at any time since boot.
    """
    text = read_text(root / _BOARD_STATE) or ""
    return int(text, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]+", text) else None


def temperature_c(root: Path = ROOT) -> float | None:
    """The hottest thermal zone."""
    texts = map(read_text, (root / "sys/class/thermal").glob("thermal_zone*/temp"))
    degrees = [int(text) / 1000 for text in texts if text and text.lstrip("-").isdigit()]
    return max(degrees, default=None)


def hypervisor(root: Path = ROOT) -> bool | None:
    """Whether this is a virtual machine; None where the processor does not say."""
    if (root / "proc/device-tree/hypervisor").is_dir() or (root / "sys/hypervisor/type").is_file():
        return True
    flags = _cpuinfo(root).get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def container(root: Path = ROOT) -> str | None:
    """What kind of container this process is in, None when nothing hints at one."""
    for name, kind in _CONTAINER_FILES.items():
        if (root / name).exists():
            return kind
    hint = _CONTAINERS.search(read_text(root / "proc/self/cgroup") or "")
    return hint.group() if hint else read_text(root / "run/systemd/container")


def shared_cores(root: Path = ROOT) -> tuple[tuple[int, ...], ...] | None:
    """Usable processors that are hardware threads of one core, by core."""
    usable = sorted(os.sched_getaffinity(0))
    lists = {
        cpu: read_text(root / _CPUS / f"cpu{cpu}/topology/thread_siblings_list") for cpu in usable
    }
    if not any(lists.values()):
        return None
    cores = {tuple(x for x in _numbers(text) if x in lists) for text in lists.values() if text}
    return tuple(sorted(core for core in cores if len(core) > 1))


def swapped_mb(root: Path = ROOT) -> int | None:
    """Memory in MiB that lies in swap."""
    total, free = (_meminfo_kib(root, field) for field in ("SwapTotal", "SwapFree"))
    return None if total is None or free is None else (total - free) // 1024


def runnable_tasks(root: Path = ROOT) -> int | None:
    """Tasks that run or wait for a core at this moment, this one not counted."""
    fields = (read_text(root / "proc/loadavg") or "").split()
    if len(fields) < 4:
        return None
    return max(0, int(fields[3].partition("/")[0]) - 1)


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


def _quota_stop(folder: Path) -> QuotaStops | None:
    lines = (read_text(folder / "cpu.stat") or "").splitlines()
    fields = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
    if "nr_throttled" not in fields:
        return None
    # Microseconds in v2, nanoseconds in v1.
    seconds = fields.get("throttled_usec", 0) / 1e6 + fields.get("throttled_time", 0) / 1e9
    return QuotaStops(fields["nr_throttled"], seconds)


def _numbers(text: str) -> list[int]:
    """The numbers of a kernel list such as "0-2,8"."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
