"""This module reads the temperatures of a machine from the kernel, on boards, Jetsons and PCs."""

from __future__ import annotations

from typing import Dict, Optional

from devices.sensors.machine import Machine, number

OFF_C = -40.0  # boards report about -256 °C for a part that is switched off


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
