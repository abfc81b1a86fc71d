"""These sensors show what disturbs a measurement: the state of the machine and of this process."""

from __future__ import annotations

import os
import resource
import time
from typing import Any, Dict, Optional

from devices.sensors.clocks import clocks_mhz, gpu_clock_mhz
from devices.sensors.cpu_quota import quota_stops
from devices.sensors.load import core_ticks, cpu_pressure, cpu_ticks
from devices.sensors.machine import Machine, ThisMachine
from devices.sensors.nvml import Gpu
from devices.sensors.temperature import temperature_c
from devices.sensors.throttling import BOARD_STATE, board_bits, throttle_counts

THIS_MACHINE = ThisMachine()


def read_sensors(machine: Machine, gpu: Optional[Gpu] = None) -> Dict[str, Any]:
    """Return the state of a machine and of this process; None for what the kernel does not say.

    Every `_ms` and `throttle_events` is a counter that only grows.
    """
    clocks = clocks_mhz(machine)
    counts = throttle_counts(machine)
    stops = quota_stops(machine)
    total_us = cpu_pressure(machine).get("total")
    return {
        "clock_ms": time.perf_counter() * 1000,
        "cpu_mhz": max(clocks.values(), default=None),  # the clocks of idle cores are low
        "temperature_c": temperature_c(machine),
        "load": os.getloadavg()[0],
        "involuntary_switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        **machine_times_ms(machine),
        "own_ms": time.process_time() * 1000,
        "wait_ms": wait_ms(machine),
        "pressure_ms": None if total_us is None else total_us / 1000,
        "quota_ms": None if stops is None else stops[1] * 1000,
        "throttle_events": sum(counts) if counts else None,
        "throttled_now": throttled_now(machine),
        **(gpu.sensors() if gpu else {"gpu_mhz": gpu_clock_mhz(machine)}),
    }


def machine_times_ms(machine: Machine) -> Dict[str, Any]:
    """Return the stolen and the used time of the usable cores since boot, and their number.

    They are all cores when the kernel numbers the usable ones otherwise, as in some containers.
    """
    by_core = core_ticks(machine)
    mine = [by_core[cpu] for cpu in machine.usable_cpus() if cpu in by_core]
    cores = mine if len(mine) == len(machine.usable_cpus()) else list(by_core.values())
    whole = cpu_ticks(machine)
    if whole is None:
        return {"steal_ms": None, "machine_ms": None, "machine_cores": None}
    kinds = [sum(ticks) for ticks in zip(*cores)] if cores else whole
    user, nice, system, _idle, _iowait, irq, softirq, steal = kinds
    tick_ms = 1000 / os.sysconf("SC_CLK_TCK")
    used = user + nice + system + irq + softirq
    return {
        "steal_ms": steal * tick_ms,
        "machine_ms": used * tick_ms,
        "machine_cores": max(1, len(cores)),
    }


def throttled_now(machine: Machine) -> Optional[bool]:
    """Return whether a Raspberry Pi is slowed down or short of voltage now (bits 0 to 3)."""
    bits = board_bits(machine.read_text(BOARD_STATE))
    return None if bits is None else bool(bits & 0xF)


def wait_ms(machine: Machine) -> Optional[float]:
    """Return how long this process's threads were ready to run but had no core."""
    waits = [waited for _, waited in thread_times_ms(machine).values()]
    return sum(waits) if waits else None


def busy_ms_of_threads(machine: Machine) -> Dict[str, float]:
    """Return the CPU time of each thread of this process so far, by thread."""
    return {thread: busy for thread, (busy, _) in thread_times_ms(machine).items()}


def thread_times_ms(machine: Machine) -> Dict[str, Any]:
    """Return how long each thread of this process has run, and how long it has waited."""
    paths = machine.glob("/proc/self/task/*/schedstat")
    fields = {path: (machine.read_text(path) or "").split() for path in paths}
    return {
        path: (int(times[0]) / 1e6, int(times[1]) / 1e6)
        for path, times in fields.items()
        if len(times) > 1
    }


def count_busy(before: Dict[str, float], after: Dict[str, float]) -> Optional[int]:
    """Return how many threads did at least a twentieth of the busiest one's work.

    Return None when this is unknown.
    """
    spent = [busy - before.get(thread, 0.0) for thread, busy in after.items()]
    return sum(ms > max(spent) / 20 for ms in spent) if spent else None
