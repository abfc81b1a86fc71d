"""This module reads a processor's clocks, heat, throttling and waiting times from the kernel."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from devices.sensors.machine import Machine, number

CPUS = "/sys/devices/system/cpu"
BOARD_STATE = "/sys/devices/platform/soc/soc:firmware/get_throttled"
OFF_C = -40.0  # boards report about -256 °C for a part that is switched off
# The name of the Jetson's GPU depends on the release.
GPU_CLOCK_FOLDERS = (
    *("/sys/class/devfreq/*.%s" % name for name in ("gpu", "ga10b", "gv11b", "gp10b")),
    "/sys/devices/platform/*/*.gpu/devfreq/*.gpu",
)


def clocks_mhz(machine: Machine) -> Dict[int, float]:
    """Return the present clock of each usable core in MHz, when the kernel says it."""
    clocks = {}
    for cpu in machine.usable_cpus():
        khz = number(machine.read_text("%s/cpu%d/cpufreq/scaling_cur_freq" % (CPUS, cpu)))
        if khz is not None:
            clocks[cpu] = khz / 1000
    return clocks


def gpu_clock_folder(machine: Machine) -> Optional[str]:
    """Return the folder of the clocks of a board's built-in NVIDIA GPU; None without one."""
    folders = (folder for pattern in GPU_CLOCK_FOLDERS for folder in machine.glob(pattern))
    return next(folders, None)


def gpu_clock_mhz(machine: Machine) -> Optional[float]:
    """Return the present clock of a board's built-in NVIDIA GPU in MHz; None without one."""
    folder = gpu_clock_folder(machine)
    hz = number(machine.read_text(folder + "/cur_freq")) if folder else None
    return None if hz is None else hz / 1e6


def zones_c(machine: Machine) -> Dict[str, float]:
    """Return the temperature of each thermal zone in °C, by its folder.

    Parts that are switched off are left out.
    """
    zones = {}
    for path in machine.glob("/sys/class/thermal/thermal_zone[0-9]*/temp"):
        millidegrees = number(machine.read_text(path))
        if millidegrees is not None and millidegrees / 1000 > OFF_C:
            zones[path[: -len("/temp")]] = millidegrees / 1000
    return zones


def temperature_c(machine: Machine) -> Optional[float]:
    """Return the temperature of the hottest thermal zone in °C; None without a zone."""
    return max(zones_c(machine).values(), default=None)


def throttle_counts(machine: Machine) -> List[int]:
    """Return how often each x86 core and package has slowed down for heat since boot."""
    paths = machine.glob(CPUS + "/cpu[0-9]*/thermal_throttle/*_throttle_count")
    return [int(text) for text in map(machine.read_text, paths) if text and text.isdigit()]


def board_bits(text: Optional[str]) -> Optional[int]:
    """Return the bits of a text in which a Raspberry Pi's firmware says that it slows down.

    Bits for this moment are: 0 too little voltage, 1 capped clock, 2 throttling, 3 temperature
    limit. Bits 16 to 19 say the same for any time since boot. Return None when the text is
    something else.
    """
    match = re.match(r"(?:throttled=)?((?:0x)?[0-9a-fA-F]+)$", text or "")
    return int(match.group(1), 16) if match else None


def cpu_ticks(machine: Machine) -> Optional[List[int]]:
    """Return the ticks that all cores have spent since boot, by kind; None when a kind is missing.

    The kinds are user, nice, system, idle, iowait, irq, softirq and steal. The kinds that the
    kernel lists after them are already counted in user.
    """
    return _ticks(machine).get("cpu")


def core_ticks(machine: Machine) -> Dict[int, List[int]]:
    """Return the same ticks for each core that the kernel lists; empty when a kind is missing."""
    return {int(name[3:]): ticks for name, ticks in _ticks(machine).items() if name != "cpu"}


def _ticks(machine: Machine) -> Dict[str, List[int]]:
    rows = [line.split()[:9] for line in (machine.read_text("/proc/stat") or "").splitlines()]
    return {
        row[0]: [int(field) for field in row[1:]]
        for row in rows
        if len(row) == 9 and re.match(r"cpu\d*$", row[0])
    }


def cpu_pressure(machine: Machine) -> Dict[str, float]:
    """Return how long tasks have waited for a core (PSI): "avg10" in percent, "total" in µs."""
    fields = (machine.read_text("/proc/pressure/cpu") or "").partition("\n")[0].split()[1:]
    pairs = (field.partition("=") for field in fields)
    return {name: float(value) for name, _, value in pairs}


def cgroup_folders(machine: Machine, controller: str) -> List[str]:
    """Return the folders of this process's cgroup and of all above it.

    Args:
        machine: The machine.
        controller: The controller of a version 1 hierarchy, or "" for the unified one (version 2).
    """
    for line in (machine.read_text("/proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            top = "/".join(filter(None, ("/sys/fs/cgroup", controller)))
            names = [name for name in path.split("/") if name]
            return ["/".join([top, *names[:depth]]) for depth in range(len(names), -1, -1)]
    return []


def quota_stops(machine: Machine) -> Optional[Tuple[int, float]]:
    """Return how often CPU quotas have stopped this process, and for how many seconds.

    The quotas are those of its cgroup and of all above it. Return None when none is reported.
    """
    folders = cgroup_folders(machine, "") + cgroup_folders(machine, "cpu")
    stops = [stop for stop in (_quota_stop(machine, folder) for folder in folders) if stop]
    return (sum(n for n, _ in stops), sum(s for _, s in stops)) if stops else None


def _quota_stop(machine: Machine, folder: str) -> Optional[Tuple[int, float]]:
    lines = (machine.read_text(folder + "/cpu.stat") or "").splitlines()
    fields = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
    if "nr_throttled" not in fields:
        return None
    # Version 2 counts microseconds, version 1 nanoseconds.
    seconds = fields.get("throttled_usec", 0) / 1e6 + fields.get("throttled_time", 0) / 1e9
    return fields["nr_throttled"], seconds
