"""This module reads the present clocks of a machine's cores and of a board's GPU."""

from __future__ import annotations

from typing import Dict, Optional

from devices.sensors.machine import CPUS, Machine, number

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
