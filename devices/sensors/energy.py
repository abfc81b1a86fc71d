"""This module finds the energy meter of a machine and reads it between a start and a stop."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Callable, List, Optional, Protocol, Tuple

from devices.sensors.machine import Machine, number
from devices.sensors.nvml import Gpu
from devices.sensors.power import rail_mw, rails, rapl_packages, whole_board


class Meter(Protocol):
    """A meter that counts the energy between a start and the stop after it."""

    name: str

    def start(self) -> None:
        """Begin to count."""
        ...

    def stop_mj(self) -> float:
        """Return the energy since the start in millijoules."""
        ...


class CountedEnergy:
    """A meter that reads counters of energy.

    Args:
        name: The meter's name in messages and logs.
        counters: The function that reads each counter in millijoules, with the value at which the
            counter starts again from 0.
    """

    def __init__(self, name: str, counters: List[Tuple[Callable[[], float], float]]) -> None:
        self.name = name
        self.counters = counters
        self.started_mj: List[float] = []

    def start(self) -> None:
        """Begin to count."""
        self.started_mj = [read() for read, _ in self.counters]

    def stop_mj(self) -> float:
        """Return the energy since the start in millijoules."""
        total_mj = 0.0
        for (read, range_mj), started_mj in zip(self.counters, self.started_mj):
            added_mj = read() - started_mj
            total_mj += added_mj if added_mj >= 0 else added_mj + range_mj
        return total_mj


class IntegratedPower:
    """A meter that adds up readings of power.

    Args:
        name: The meter's name in messages and logs.
        read_mw: The function that reads the power in milliwatts.
        every_s: The time between two readings in seconds. A thread of its own takes them.
    """

    def __init__(self, name: str, read_mw: Callable[[], float], every_s: float = 0.02) -> None:
        self.name = name
        self.read_mw = read_mw
        self.every_s = every_s

    def start(self) -> None:
        """Begin to count."""
        self.readings = [(time.perf_counter(), self.read_mw())]
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Read the power again and again until the meter is stopped."""
        while not self.stopped.wait(self.every_s):
            self.readings.append((time.perf_counter(), self.read_mw()))

    def stop_mj(self) -> float:
        """Return the energy since the start in millijoules, by the trapezoidal rule."""
        self.stopped.set()
        self.thread.join()
        self.readings.append((time.perf_counter(), self.read_mw()))
        pairs = zip(self.readings, self.readings[1:])
        return sum((t - t0) * (mw0 + mw) / 2 for (t0, mw0), (t, mw) in pairs)


def find_meter(machine: Machine, gpu: Optional[Gpu] = None) -> Optional[Meter]:
    """Return the best meter that can be read; None when there is none.

    A board's own input comes first, then the GPU, then the processor.
    """
    on_board = rails(machine)
    if on_board:
        names = whole_board(on_board)
        files = [on_board[name] for name in names]
        return IntegratedPower(
            "INA3221 " + "+".join(names),
            lambda: sum(rail_mw(machine, each) or 0.0 for each in files),
        )
    if gpu is not None:  # the energy of the processor would not be that of the GPU
        return CountedEnergy("NVML GPU", [(gpu.energy_mj, 0.0)]) if gpu.counts_energy() else None
    packages = rapl_packages(machine)
    counters: List[Tuple[Callable[[], float], float]] = [
        (partial(_millijoules, machine, folder + "/energy_uj"), _range_mj(machine, folder))
        for folder in packages.values()
    ]
    return CountedEnergy("RAPL " + "+".join(packages), counters) if counters else None


def _range_mj(machine: Machine, folder: str) -> float:
    return _millijoules(machine, folder + "/max_energy_range_uj")


def _millijoules(machine: Machine, path: str) -> float:
    """Return the value of a file that counts in microjoules; 0 when it cannot be read."""
    return (number(machine.read_text(path)) or 0.0) / 1000
