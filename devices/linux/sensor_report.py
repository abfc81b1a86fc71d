"""This module reads the sensors of a Linux machine and names each reading with its unit."""

from devices.host import Host
from devices.sensors.clocks import clocks_mhz, gpu_clock_mhz
from devices.sensors.power import rails_mw
from devices.sensors.temperature import zones_c
from devices.spec import Finding, unknown

_UNITS = {"c": "°C", "mhz": "MHz", "mw": "mW"}


def read_sensors(host: Host) -> dict[str, float]:
    """Return temperatures, clocks and power, such as {"temperature_cpu_c": 48.1}.

    Each name ends in its unit. Parts that are switched off are left out.
    """
    sensors = {}
    for folder, degrees in zones_c(host).items():
        kind = host.read_text(f"{folder}/type") or folder.rpartition("/")[2]
        sensors[f"temperature_{kind.removesuffix('-thermal').lower()}_c"] = degrees
    if clocks := clocks_mhz(host):
        sensors["clock_cpu_mhz"] = max(clocks.values())
    if (gpu_mhz := gpu_clock_mhz(host)) is not None:
        sensors["clock_gpu_mhz"] = gpu_mhz
    return sensors | {f"power_{name.lower()}_mw": mw for name, mw in rails_mw(host).items()}


def check_sensors(sensors: dict[str, float]) -> Finding:
    """Return a finding that lists the readings: "temperature_cpu 48.1 °C, power_vdd_in 4824 mW"."""
    if not sensors:
        return unknown("sensors", "temperatures, clocks or power")
    split = ((name.rpartition("_"), value) for name, value in sensors.items())
    readings = [f"{name} {value:g} {_UNITS.get(unit, unit)}" for (name, _, unit), value in split]
    return Finding("sensors", "ok", ", ".join(readings))
