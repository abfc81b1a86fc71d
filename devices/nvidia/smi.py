"""This module asks NVIDIA's driver about its GPUs through `nvidia-smi`, which needs no root."""

import os
from dataclasses import dataclass

from devices.host import Host
from devices.sensors.machine import number
from devices.sensors.nvml import THROTTLE_BITS

_FIELDS = (
    *("index", "uuid", "name", "driver_version", "memory.total", "compute_cap", "power.limit"),
    *("power.draw", "temperature.gpu", "clocks.sm", "clocks.max.sm", "persistence_mode"),
    "mig.mode.current",
)
_CSV = "--format=csv,noheader,nounits"
_GPUS = ("nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", _CSV)
# Drivers from 535 on say "event". Later ones may not know the older name.
_THROTTLING = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
_PROGRAMS = ("nvidia-smi", "--query-compute-apps=gpu_uuid,pid,process_name", _CSV)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU at one moment. A field is None when the driver does not say.

    Attributes:
        index: The GPU's number on the bus.
        uuid: The GPU's identity for CUDA and NVML. No log contains it.
        name: The name that the GPU is sold under.
        driver: The driver's version.
        memory_mb: The GPU's memory in MiB. Chips that share the machine's memory have none.
        compute_capability: The version of its instructions, e.g. "9.0".
        power_limit_w: The power limit in force, in watts.
        power_w: The present power in watts.
        temperature_c: The temperature of the chip in °C.
        clock_mhz: The present clock of its multiprocessors in MHz.
        max_clock_mhz: The highest clock of its multiprocessors in MHz.
        is_persistent: Whether the driver stays loaded between programs.
        is_shared: Whether the GPU is divided into instances (MIG).
    """

    index: int
    uuid: str
    name: str
    driver: str
    memory_mb: float | None
    compute_capability: str
    power_limit_w: float | None
    power_w: float | None
    temperature_c: float | None
    clock_mhz: float | None
    max_clock_mhz: float | None
    is_persistent: bool
    is_shared: bool


def query_gpus(host: Host) -> tuple[Gpu, ...] | str:
    """Return the GPUs in the order of their bus, or the reason why none is visible."""
    text = host.run(_GPUS)
    if text is None:
        return f"no NVIDIA driver answers on {host.label}: nvidia-smi is missing or hangs"
    rows = _rows(text)
    gpus = tuple(_gpu(dict(zip(_FIELDS, row, strict=True))) for row in rows if _is_gpu(row))
    if gpus:
        return gpus
    said = " ".join(text.split())[:200] or "nothing"
    return f"nvidia-smi finds no GPU on {host.label}. It says: {said}"


def chosen_gpu(host: Host) -> Gpu | str:
    """Return the GPU that is measured, or the reason why there is none.

    It is the first one that CUDA_VISIBLE_DEVICES names, or else the first of the machine.
    """
    gpus = query_gpus(host)
    if isinstance(gpus, str):
        return gpus
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "") if host.is_local else ""
    first = wanted.split(",")[0].strip()
    if not first:
        return gpus[0]
    chosen = [gpu for gpu in gpus if first == str(gpu.index) or gpu.uuid.startswith(first)]
    if chosen:
        return chosen[0]
    return f"CUDA_VISIBLE_DEVICES must name one of {len(gpus)} GPUs. Got '{wanted}'"


def other_programs(host: Host, gpu: Gpu) -> tuple[str, ...]:
    """Return the names of the programs that compute on a GPU."""
    rows = _rows(host.run(_PROGRAMS) or "")
    return tuple(row[2] for row in rows if len(row) == 3 and row[0] == gpu.uuid)


def throttled_by(host: Host, gpu: Gpu) -> tuple[str, ...] | None:
    """Return the causes that slow a GPU down now; None when the driver does not say."""
    for reasons in _THROTTLING:
        for row in _rows(host.run(("nvidia-smi", f"--query-gpu=uuid,{reasons}", _CSV)) or ""):
            if len(row) == 2 and row[0] == gpu.uuid and row[1].startswith("0x"):
                bits = int(row[1], 16)
                return tuple(name for bit, name in THROTTLE_BITS.items() if bits & bit)
    return None


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]


def _is_gpu(row: list[str]) -> bool:
    return len(row) == len(_FIELDS) and row[0].isdigit()


def _gpu(cells: dict[str, str]) -> Gpu:
    return Gpu(
        index=int(cells["index"]),
        uuid=cells["uuid"],
        name=cells["name"],
        driver=cells["driver_version"],
        memory_mb=number(cells["memory.total"]),
        compute_capability=cells["compute_cap"],
        power_limit_w=number(cells["power.limit"]),
        power_w=number(cells["power.draw"]),
        temperature_c=number(cells["temperature.gpu"]),
        clock_mhz=number(cells["clocks.sm"]),
        max_clock_mhz=number(cells["clocks.max.sm"]),
        is_persistent=cells["persistence_mode"] == "Enabled",
        is_shared=cells["mig.mode.current"] == "Enabled",
    )
