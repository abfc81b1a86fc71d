"""These readers ask Linux about its processor, memory and load.

Every reader asks one host, and returns None (or "unknown") when its kernel does not say.
"""

import re

from devices.host import Host
from devices.linux import device_tree
from devices.linux.arm_cores import arm_core
from devices.sensors import processor
from devices.sensors.processor import CPUS

_ASK_BOARD = ("vcgencmd", "get_throttled")
_CONTAINER_FILES = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_RISCV_IDENTITY = ("mvendorid", "marchid", "mimpid")
_CONTAINERS = re.compile(r"docker|podman|libpod|kubepods|containerd|lxc")


def cpu_model(host: Host) -> str:
    """Return the processor's name. On Arm it is the name of the board, or of the first core.

    On other boards the processor follows the name of the board, because one emulator, or one
    cabinet, takes several processors.
    """
    processors = cpuinfo(host)
    fields = processors[0]
    board = device_tree.model(host)
    if "CPU part" in fields and board == "unknown":
        return arm_core(fields.get("CPU implementer", "?"), fields["CPU part"])
    # "model name" is the instruction set on Arm.
    other = _other_processor(processors)
    if board != "unknown":
        return f"{board}, {other}" if other else board
    return fields.get("model name") or other or "unknown"


def memory_mb(host: Host) -> int:
    """Return the physical memory in MiB, or 0 when it is unknown."""
    return (_meminfo_kib(host, "MemTotal") or 0) // 1024


def available_memory_mb(host: Host) -> int | None:
    """Return the memory in MiB that is available without swapping."""
    available = _meminfo_kib(host, "MemAvailable")
    return None if available is None else available // 1024


def governor(host: Host) -> str:
    """Return the cpufreq governor of the usable cores, or "unknown".

    Where the cores have different governors, all are returned: "performance+schedutil".
    """
    files = [f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor" for cpu in host.usable_cpus()]
    return "+".join(sorted({text for text in map(host.read_text, files) if text})) or "unknown"


def load_average(host: Host) -> float | None:
    """Return the number of running and waiting tasks, averaged over the last minute."""
    text = host.read_text("/proc/loadavg")
    return float(text.split()[0]) if text else None


def steal_share(host: Host) -> float | None:
    """Return the share of CPU time since boot that the hypervisor gave to others."""
    ticks = processor.cpu_ticks(host)
    return ticks[7] / sum(ticks) if ticks and sum(ticks) else None


def cpu_quota(host: Host) -> float | None:
    """Return how many cores the tightest cgroup above this process grants; None without a limit."""
    quotas = [_quota_v2(host, folder) for folder in processor.cgroup_folders(host, "")]
    quotas += [_quota_v1(host, folder) for folder in processor.cgroup_folders(host, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def turbo(host: Host) -> bool | None:
    """Return whether cores may run faster than their nominal clock."""
    if (off := host.read_text(f"{CPUS}/intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = host.read_text(f"{CPUS}/cpufreq/boost")
    return None if boost is None else boost != "0"


def board_state(host: Host) -> int | None:
    """Return the bits that a Raspberry Pi's firmware sets when it slows down; see `board_bits`."""
    text = host.read_text(processor.BOARD_STATE) or host.run(_ASK_BOARD)
    return processor.board_bits(text)


def hypervisor(host: Host) -> bool | None:
    """Return whether this is a virtual machine; None when the processor does not say."""
    if host.glob("/proc/device-tree/hypervisor") or host.glob("/sys/hypervisor/type"):
        return True
    flags = cpuinfo(host)[0].get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def container(host: Host) -> str | None:
    """Return the kind of container that this process is in; None when nothing points to one."""
    for name, kind in _CONTAINER_FILES.items():
        if host.glob(name):
            return kind
    hint = _CONTAINERS.search(host.read_text("/proc/self/cgroup") or "")
    return hint.group() if hint else host.read_text("/run/systemd/container")


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


def swapped_mb(host: Host) -> int | None:
    """Return the memory in MiB that lies in swap."""
    total, free = (_meminfo_kib(host, field) for field in ("SwapTotal", "SwapFree"))
    return None if total is None or free is None else (total - free) // 1024


def runnable_tasks(host: Host) -> int | None:
    """Return the number of other tasks that run or wait for a core at this moment."""
    fields = (host.read_text("/proc/loadavg") or "").split()
    if len(fields) < 4:
        return None
    return max(0, int(fields[3].partition("/")[0]) - 1)


def usable_cores(host: Host) -> int:
    """Return the number of cores that this process may use, at least 1.

    The affinity mask and the cgroup quota limit it.
    """
    cores = len(host.usable_cpus())
    quota = cpu_quota(host)
    return cores if quota is None else max(1, min(cores, int(quota)))


def cpuinfo(host: Host) -> list[dict[str, str]]:
    """Return the fields of each processor, in order. The first one may have no fields."""
    blocks = (host.read_text("/proc/cpuinfo") or "").split("\n\n")
    pairs = ((line.partition(":") for line in block.splitlines()) for block in blocks)
    return [{key.strip(): value.strip() for key, _, value in of_block} for of_block in pairs]


def _other_processor(processors: list[dict[str, str]]) -> str | None:
    """Return the name of a LoongArch, POWER, RISC-V or IBM Z processor; None for any other.

    The kernel of each gives other fields, in `arch/*/kernel/proc.c`, `setup-common.c`, `cpu.c` and
    `processor.c`. Those about the whole machine come before the first processor, or after the last.
    """
    fields: dict[str, str] = {}
    for of_block in reversed(processors):
        fields |= of_block
    if "Model Name" in fields and fields.get("CPU Family", "").startswith("Loongson"):
        return fields["Model Name"]
    if fields.get("cpu", "").startswith("POWER"):
        machine = fields.get("machine", "")
        return f"{fields['cpu'].partition(',')[0]} {machine}".strip()
    if fields.get("isa", "").startswith("rv"):
        numbers = [fields[name] for name in _RISCV_IDENTITY if name in fields]
        extensions = fields["isa"].partition("_")[0]
        return " ".join([fields.get("uarch", "RISC-V"), extensions, *numbers])
    if fields.get("vendor_id") == "IBM/S390":
        machine = fields.get("processor 0", "").rpartition("machine = ")[2]
        return f"IBM Z, machine {machine or 'unknown'}"
    return None


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
    """Return the numbers of a kernel list such as "0-2,8"."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers
