"""What the sensors of a Linux machine say at one moment."""

from devices.host import Host
from devices.linux import power_meters
from devices.linux.checks import unknown
from devices.linux.cores import clocks_mhz
from devices.spec import Finding

_OFF_C = -40.0  # boards report -256 °C and the like of a part that is switched off
_UNITS = {"c": "°C", "mhz": "MHz", "mw": "mW"}


def read_sensors(host: Host) -> dict[str, float]:
    """Temperatures, clocks and power, by name and unit; empty where nothing is reported."""
    clocks = clocks_mhz(host)
    fastest = {"clock_cpu_mhz": max(clocks.values())} if clocks else {}
    gpu = gpu_clock_mhz(host)
    rails = power_meters.rails_mw(host)
    return {
        **temperatures_c(host),
        **fastest,
        **({} if gpu is None else {"clock_gpu_mhz": gpu}),
        **{f"power_{name.lower()}_mw": value for name, value in rails.items()},
    }


def temperatures_c(host: Host) -> dict[str, float]:
    """Each thermal zone: {"temperature_cpu_c": 48.1}; parts that are off are left out."""
    found = {}
    for folder in host.glob("/sys/class/thermal/thermal_zone[0-9]*"):
        kind, text = host.read_text(f"{folder}/type"), host.read_text(f"{folder}/temp")
        if text and text.lstrip("-").isdigit() and int(text) / 1000 > _OFF_C:
            name = (kind or folder.rpartition("/")[2]).removesuffix("-thermal")
            found[f"temperature_{name.lower()}_c"] = int(text) / 1000
    return found


def gpu_clock_mhz(host: Host) -> float | None:
    """The present clock of a board's built-in NVIDIA GPU."""
    folder = gpu_clock_folder(host)
    text = host.read_text(f"{folder}/cur_freq") if folder else None
    return int(text) / 1e6 if text and text.isdigit() else None


def gpu_clock_folder(host: Host) -> str | None:
    """Where the kernel keeps its clocks; Jetson releases have called it gpu, ga10b and gv11b."""
    patterns = [f"/sys/class/devfreq/*.{name}" for name in ("gpu", "ga10b", "gv11b", "gp10b")]
    patterns.append("/sys/devices/platform/*/*.gpu/devfreq/*.gpu")
    return next((folder for pattern in patterns for folder in host.glob(pattern)), None)


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
