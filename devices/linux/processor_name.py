"""This module reads the name of a machine's processor, on any architecture that Linux runs on."""

from devices.host import Host
from devices.linux import device_tree
from devices.linux.arm_cores import arm_core

_RISCV_IDENTITY = ("mvendorid", "marchid", "mimpid")


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
