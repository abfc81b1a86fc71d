"""This module reads power: from INA3221 chips on boards, and from RAPL in x86 processors.

An INA3221 calls the rails that are not connected NC. Its seventh input, "sum of shunt voltages", is
not a rail. Both are left out.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from devices.sensors.machine import Machine, number

Rail = Tuple[str, ...]

NO_RAILS = ("", "NC", "sum of shunt voltages")
RAPL = "/sys/class/powercap/intel-rapl:*"  # parts of a package match too: intel-rapl:0:0
# The rail that feeds a whole Jetson module. Its name depends on release and module.
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")


def rails(machine: Machine) -> Dict[str, Rail]:
    """Return the files of each labelled rail that can be read, by the rail's name.

    A rail has one file in milliwatts, or one in millivolts and one in milliamperes.
    """
    labelled: Dict[str, Rail] = {}
    # The kernel's driver.
    for label in machine.glob("/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[1-3]_label"):
        folder, _, place = label[: -len("_label")].rpartition("/in")
        labelled[label] = ("%s/in%s_input" % (folder, place), "%s/curr%s_input" % (folder, place))
    # NVIDIA's own driver, up to JetPack 4.
    for label in machine.glob("/sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_[0-2]"):
        folder, _, place = label.rpartition("/rail_name_")
        labelled[label] = ("%s/in_power%s_input" % (folder, place),)
    named = {machine.read_text(label) or "": files for label, files in labelled.items()}
    return {
        name: files
        for name, files in named.items()
        if name not in NO_RAILS and rail_mw(machine, files) is not None
    }


def rail_mw(machine: Machine, files: Rail) -> Optional[float]:
    """Return the power through a rail in milliwatts; None when it cannot be read."""
    values = [number(machine.read_text(file)) for file in files]
    if None in values:
        return None
    first, *more = (value or 0.0 for value in values)
    return first * more[0] / 1000 if more else first


def rails_mw(machine: Machine) -> Dict[str, float]:
    """Return the power through each labelled rail in milliwatts; none without such a meter."""
    return {name: rail_mw(machine, files) or 0.0 for name, files in rails(machine).items()}


def whole_board(names: Dict[str, Rail]) -> List[str]:
    """Return the rails whose sum is the power of the whole board.

    It is the board's input, or all rails when the input has none.
    """
    inputs = [name for name in INPUT_RAILS if name in names]
    return inputs[:1] or sorted(names)


def rapl_packages(machine: Machine) -> Dict[str, str]:
    """Return the folder of each RAPL package whose counter can be read, by the package's name."""
    folders = {machine.read_text(folder + "/name") or "": folder for folder in machine.glob(RAPL)}
    return {
        name: folder
        for name, folder in folders.items()
        if name.startswith("package") and machine.read_text(folder + "/energy_uj")
    }
