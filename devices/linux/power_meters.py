"""What measures power on a machine: INA3221 chips on boards, RAPL in x86 processors.

The rails of an INA3221 that are not connected are called NC, and a seventh input named "sum of
shunt voltages" is none; both are left out.
"""

from devices.host import Host

_NO_RAILS = ("NC", "sum of shunt voltages")
_RAPL = "/sys/class/powercap/intel-rapl:*"  # parts of a package are there too: intel-rapl:0:0
# The rail through which a whole Jetson module is fed, by release and module.
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")


def rails_mw(host: Host) -> dict[str, float]:
    """The power through each labelled rail in milliwatts; empty without such a meter."""
    return {**_hwmon_rails_mw(host), **_iio_rails_mw(host)}


def rapl_counters(host: Host) -> dict[str, str]:
    """The name of each RAPL package with the file that counts its microjoules."""
    names = {folder: host.read_text(f"{folder}/name") for folder in host.glob(_RAPL)}
    return {
        name: f"{folder}/energy_uj"
        for folder, name in names.items()
        if name and name.startswith("package")
    }


def describe_meter(host: Host) -> str | None:
    """What an energy per inference would be read from; None without a readable meter."""
    rails = rails_mw(host)
    if rails:
        whole = [name for name in INPUT_RAILS if name in rails]
        return f"INA3221, {whole[0] if whole else 'the sum of ' + ' + '.join(rails)}"
    counters = rapl_counters(host)
    if any(host.read_text(file) for file in counters.values()):
        return f"RAPL, {' + '.join(counters)}"
    return None


def _hwmon_rails_mw(host: Host) -> dict[str, float]:
    """As the kernel's driver gives them, in millivolts and milliamperes."""
    rails = {}
    for file in host.glob("/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[1-3]_label"):
        folder, _, number = file.removesuffix("_label").rpartition("/in")
        name = host.read_text(file)
        millivolts = _number(host.read_text(f"{folder}/in{number}_input"))
        milliamperes = _number(host.read_text(f"{folder}/curr{number}_input"))
        if name not in (None, *_NO_RAILS) and None not in (millivolts, milliamperes):
            rails[str(name)] = (millivolts or 0.0) * (milliamperes or 0.0) / 1000
    return rails


def _iio_rails_mw(host: Host) -> dict[str, float]:
    """As NVIDIA's own driver gave them up to JetPack 4, in milliwatts."""
    rails = {}
    for file in host.glob("/sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_[0-2]"):
        folder, _, number = file.rpartition("/rail_name_")
        name = host.read_text(file)
        milliwatts = _number(host.read_text(f"{folder}/in_power{number}_input"))
        if name not in (None, *_NO_RAILS) and milliwatts is not None:
            rails[str(name)] = milliwatts
    return rails


def _number(text: str | None) -> float | None:
    return float(text) if text and text.lstrip("-").isdigit() else None
