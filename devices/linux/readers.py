"""What Linux says about its processor, memory and load.

Every reader takes the host to ask, and answers None (or "unknown") where its kernel does not say.
"""

import re

from devices.host import Host
from devices.linux import device_tree
from devices.linux.arm_cores import arm_core
from devices.sensors import processor
from devices.sensors.processor import CPUS

_ASK_BOARD = ("vcgencmd", "get_throttled")
_CONTAINER_FILES = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_CONTAINERS = re.compile(r"docker|podman|libpod|kubepods|containerd|lxc")


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
    files = [f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor" for cpu in host.usable_cpus()]
    return "+".join(sorted({text for text in map(host.read_text, files) if text})) or "unknown"


def load_average(host: Host) -> float | None:
    """Runnable and waiting tasks, averaged over the last minute."""
    text = host.read_text("/proc/loadavg")
    return float(text.split()[0]) if text else None


def steal_share(host: Host) -> float | None:
    """The share of CPU time, since boot, that the hypervisor gave to somebody else."""
    ticks = processor.cpu_ticks(host)
    return ticks[7] / sum(ticks) if ticks and sum(ticks) else None


def cpu_pressure(host: Host) -> float | None:
    """Percent of the last ten seconds in which some task waited for a core (PSI)."""
    return processor.cpu_pressure(host).get("avg10")


def cpu_quota(host: Host) -> float | None:
    """Cores granted by the tightest cgroup above this process, None when unlimited."""
    quotas = [_quota_v2(host, folder) for folder in processor.cgroup_folders(host, "")]
    quotas += [_quota_v1(host, folder) for folder in processor.cgroup_folders(host, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def turbo(host: Host) -> bool | None:
    """Whether cores may run faster than their nominal clock."""
    if (off := host.read_text(f"{CPUS}/intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = host.read_text(f"{CPUS}/cpufreq/boost")
    return None if boost is None else boost != "0"


def throttle_events(host: Host) -> int | None:
    """How often the hottest x86 core or package slowed down since boot."""
    return max(processor.throttle_counts(host), default=None)


def board_state(host: Host) -> int | None:
    """The bits that a Raspberry Pi's firmware sets when it slows down; see `board_bits`."""
    text = host.read_text(processor.BOARD_STATE) or host.run(_ASK_BOARD)
    return processor.board_bits(text)


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
        cpu: host.read_text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") for cpu in usable
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


def _quota_v2(host: Host, folder: str) -> float | None:
    quota, _, period = (host.read_text(f"{folder}/cpu.max") or "max 100000").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(host: Host, folder: str) -> float | None:
    quota = int(host.read_text(f"{folder}/cpu.cfs_quota_us") or -1)
    period = int(host.read_text(f"{folder}/cpu.cfs_period_us") or 100_000)
    return None if quota < 0 else quota / period


def _numbers(text: str) -> list[int]:
    """The numbers of a kernel list such as "0-2,8"."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
