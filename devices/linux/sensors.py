"""What the sensors of a Linux machine say at one moment."""

from devices.host import Host
from devices.linux.checks import unknown
from devices.sensors.power import rails_mw
from devices.sensors.processor import clocks_mhz, gpu_clock_mhz, zones_c
from devices.spec import Finding

_UNITS = {"c": "°C", "mhz": "MHz", "mw": "mW"}


def read_sensors(host: Host) -> dict[str, float]:
    """Temperatures, clocks and power, by name and unit; empty where nothing is reported."""
    clocks = clocks_mhz(host)
    fastest = {"clock_cpu_mhz": max(clocks.values())} if clocks else {}
    gpu = gpu_clock_mhz(host)
    return {
        **temperatures_c(host),
        **fastest,
        **({} if gpu is None else {"clock_gpu_mhz": gpu}),
        **{f"power_{name.lower()}_mw": value for name, value in rails_mw(host).items()},
    }


def temperatures_c(host: Host) -> dict[str, float]:
    """Each thermal zone: {"temperature_cpu_c": 48.1}; parts that are off are left out."""
    zones = zones_c(host)
    kinds = {folder: host.read_text(f"{folder}/type") for folder in zones}
    names = {
        folder: (kind or folder.rpartition("/")[2]).removesuffix("-thermal").lower()
        for folder, kind in kinds.items()
    }
    return {f"temperature_{names[folder]}_c": degrees for folder, degrees in zones.items()}


def describe_sensors(sensors: dict[str, float]) -> str:
    """One line: "temperature_cpu 48.1 °C, power_vdd_in 4824 mW"."""
    split = ((name.rpartition("_"), value) for name, value in sensors.items())
    return ", ".join(
        f"{name} {value:g} {_UNITS.get(unit, unit)}" for (name, _, unit), value in split
    )


def check_sensors(sensors: dict[str, float]) -> Finding:
    """What can be read; never a complaint."""
    if not sensors:
        return unknown("sensors", "temperatures, clocks or power")
    return Finding("sensors", "ok", describe_sensors(sensors))
