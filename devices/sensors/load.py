"""This module reads how busy a machine is: running and waiting tasks, ticks, pressure and steal."""

from __future__ import annotations

import re
from typing import Dict, List, Optional

from devices.sensors.machine import Machine


def load_average(machine: Machine) -> Optional[float]:
    """Return the number of running and waiting tasks, averaged over the last minute."""
    text = machine.read_text("/proc/loadavg")
    return float(text.split()[0]) if text else None


def runnable_tasks(machine: Machine) -> Optional[int]:
    """Return the number of other tasks that run or wait for a core at this moment."""
    fields = (machine.read_text("/proc/loadavg") or "").split()
    if len(fields) < 4:
        return None
    return max(0, int(fields[3].partition("/")[0]) - 1)


def steal_share(machine: Machine) -> Optional[float]:
    """Return the share of CPU time since boot that the hypervisor gave to others."""
    ticks = cpu_ticks(machine)
    return ticks[7] / sum(ticks) if ticks and sum(ticks) else None


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
