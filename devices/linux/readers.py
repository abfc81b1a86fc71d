"""What Linux says about its processor, memory and load.

Every reader takes the host to ask, and answers None (or "unknown") where its kernel does not say.
"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from devices.host import Host
from devices.linux import device_tree
from devices.linux.arm_cores import arm_core

_CPUS = "/sys/devices/system/cpu"
_BOARD_STATE = "/sys/devices/platform/soc/soc:firmware/get_throttled"
_ASK_BOARD = ("vcgencmd", "get_throttled")
_CONTAINER_FILES = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_CONTAINERS = re.compile(r"docker|podman|libpod|kubepods|containerd|lxc")


class QuotaStops(NamedTuple):
    """How often, and for how long, a CPU quota stopped this process's cgroups."""

    n_stops: int
    seconds: float


def cpu_model(host: Host) -> str:
    """The processor's name; on Arm the board's, else that of its first core."""
    fields = _cpuinfo(host)
    board = device_tree.model(host)
    if board != "unknown":  # what Arm kernels call "model name" is the instruction set
        return board
    if "CPU part" in fields:
        return arm_core(fields.get("CPU implementer", "?"), fields["CPU part"])
    return fields.get("model name", "unknown")


def memory_mb(host: Host) -> int:
    """Physical memory in MiB, 0 when unknown."""
    return (_meminfo_kib(host, "MemTotal") or 0) // 1024


def available_memory_mb(host: Host) -> int | None:
    """Memory in MiB that can be had without swapping."""
    available = _meminfo_kib(host, "MemAvailable")
    return None if available is None else available // 1024


def governor(host: Host) -> str:
    """The cpufreq governor of the usable cores, all of them where they differ, or "unknown"."""
    files = [f"{_CPUS}/cpu{cpu}/cpufreq/scaling_governor" for cpu in host.usable_cpus()]
    return "+".join(sorted({text for text in map(host.read_text, files) if text})) or "unknown"


def load_average(host: Host) -> float | None:
    """Runnable and waiting tasks, averaged over the last minute."""
    text = host.read_text("/proc/loadavg")
    return float(text.split()[0]) if text else None


def steal_share(host: Host) -> float | None:
    """The share of CPU time, since boot, that the hypervisor gave to somebody else."""
    text = host.read_text("/proc/stat")
    if not text:
        return None
    # user nice system idle iowait irq softirq steal; what follows is counted in user already.
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    total = sum(ticks)
    return ticks[7] / total if len(ticks) == 8 and total else None


def cpu_pressure(host: Host) -> float | None:
    """Percent of the last ten seconds in which some task waited for a core (PSI)."""
    text = host.read_text("/proc/pressure/cpu")
    if not text:
        return None
    fields = dict(field.split("=", 1) for field in text.splitlines()[0].split()[1:])
    return float(fields["avg10"])


def cpu_quota(host: Host) -> float | None:
    """Cores granted by the tightest cgroup above this process, None when unlimited."""
    quotas = [_quota_v2(host, folder) for folder in _cgroup_folders(host, "")]
    quotas += [_quota_v1(host, folder) for folder in _cgroup_folders(host, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def quota_stops(host: Host) -> QuotaStops | None:
    """What CPU quotas cost so far, over this process's cgroup and all above it."""
    folders = _cgroup_folders(host, "") + _cgroup_folders(host, "cpu")
    stops = [stop for folder in folders if (stop := _quota_stop(host, folder)) is not None]
    if not stops:
        return None
    return QuotaStops(sum(s.n_stops for s in stops), sum(s.seconds for s in stops))


def turbo(host: Host) -> bool | None:
    """Whether cores may run faster than their nominal clock."""
    if (off := host.read_text(f"{_CPUS}/intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = host.read_text(f"{_CPUS}/cpufreq/boost")
    return None if boost is None else boost != "0"


def throttle_events(host: Host) -> int | None:
    """How often the hottest x86 core or package slowed down since boot."""
    paths = host.glob(f"{_CPUS}/cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [int(text) for text in map(host.read_text, paths) if text and text.isdigit()]
    return max(counts, default=None)


def board_state(host: Host) -> int | None:
    """The bits that a Raspberry Pi's firmware sets when it slows down.

    Now: 0 too little voltage, 1 capped clock, 2 throttling, 3 temperature limit. Bits 16 to 19
    are the same, at any time since boot.
    """
    text = host.read_text(_BOARD_STATE) or host.run(_ASK_BOARD) or ""
    text = text.removeprefix("throttled=")
    return int(text, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]+", text) else None


def temperature_c(host: Host) -> float | None:
    """The hottest thermal zone."""
    texts = map(host.read_text, host.glob("/sys/class/thermal/thermal_zone*/temp"))
    degrees = [int(text) / 1000 for text in texts if text and text.lstrip("-").isdigit()]
    return max(degrees, default=None)


def hypervisor(host: Host) -> bool | None:
    """Whether this is a virtual machine; None where the processor does not say."""
    if host.glob("/proc/device-tree/hypervisor") or host.glob("/sys/hypervisor/type"):
        return True
    flags = _cpuinfo(host).get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def container(host: Host) -> str | None:
    """What kind of container this process is in, None when nothing hints at one."""
    for name, kind in _CONTAINER_FILES.items():
        if host.glob(name):
            return kind
    hint = _CONTAINERS.search(host.read_text("/proc/self/cgroup") or "")
    return hint.group() if hint else host.read_text("/run/systemd/container")


def shared_cores(host: Host) -> tuple[tuple[int, ...], ...] | None:
    """Usable processors that are hardware threads of one core, by core."""
    usable = host.usable_cpus()
    lists = {
        cpu: host.read_text(f"{_CPUS}/cpu{cpu}/topology/thread_siblings_list") for cpu in usable
    }
    if not any(lists.values()):
        return None
    cores = {tuple(x for x in _numbers(text) if x in lists) for text in lists.values() if text}
    return tuple(sorted(core for core in cores if len(core) > 1))


def swapped_mb(host: Host) -> int | None:
    """Memory in MiB that lies in swap."""
    total, free = (_meminfo_kib(host, field) for field in ("SwapTotal", "SwapFree"))
    return None if total is None or free is None else (total - free) // 1024


def runnable_tasks(host: Host) -> int | None:
    """Tasks that run or wait for a core at this moment, this one not counted."""
    fields = (host.read_text("/proc/loadavg") or "").split()
    if len(fields) < 4:
        return None
    return max(0, int(fields[3].partition("/")[0]) - 1)


def usable_cores(host: Host) -> int:
    """Cores this process may use: its affinity mask bounded by the cgroup quota, at least 1."""
    cores = len(host.usable_cpus())
    quota = cpu_quota(host)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _cpuinfo(host: Host) -> dict[str, str]:
    """The fields of the first processor."""
    text = host.read_text("/proc/cpuinfo") or ""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _meminfo_kib(host: Host, field: str) -> int | None:
    for line in (host.read_text("/proc/meminfo") or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None


def _cgroup_folders(host: Host, controller: str) -> list[PurePosixPath]:
    """This process's cgroup and all above it; controller "" is the unified hierarchy (v2)."""
    for line in (host.read_text("/proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            top = PurePosixPath("/sys/fs/cgroup") / controller
            leaf = top / path.lstrip("/")
            return [leaf, *(above for above in leaf.parents if above.is_relative_to(top))]
    return []


def _quota_v2(host: Host, folder: PurePosixPath) -> float | None:
    quota, _, period = (host.read_text(f"{folder}/cpu.max") or "max 100000").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(host: Host, folder: PurePosixPath) -> float | None:
    quota = int(host.read_text(f"{folder}/cpu.cfs_quota_us") or -1)
    period = int(host.read_text(f"{folder}/cpu.cfs_period_us") or 100_000)
    return None if quota < 0 else quota / period


def _quota_stop(host: Host, folder: PurePosixPath) -> QuotaStops | None:
    lines = (host.read_text(f"{folder}/cpu.stat") or "").splitlines()
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
