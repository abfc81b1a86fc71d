"""The plugin `raspberry-pi` measures the cores of a Raspberry Pi with a 64-bit system.

It also reads what the firmware says of heat and voltage. `vcgencmd` needs no root but the group
`video`. Where it may not be run, the kernel's files are read instead.
"""

import re

from devices.linux import device_tree
from devices.linux.device import LinuxDevice
from devices.spec import Facts, HardwareRuns, known_facts

_FIRMWARE = ("vcgencmd", "version")
_POWER_CHIP = ("vcgencmd", "pmic_read_adc")


class RaspberryPiDevice(LinuxDevice):
    """The cores of a Raspberry Pi."""

    name = "raspberry-pi"
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """Return why the machine is not a Raspberry Pi with a 64-bit system; None when it is one.

        ONNX Runtime has no wheels for 32-bit systems.
        """
        is_pi = any(x.startswith("raspberrypi,") for x in device_tree.compatible(self.host))
        machine = self.host.kernel().machine
        if not is_pi:
            return f"{self.host.label} is not a Raspberry Pi ({self.what_it_is()}); {self.remedy()}"
        if machine != "aarch64":
            return (
                f"{self.host.label} runs a 32-bit system ({machine}), for which there is no "
                f"onnxruntime; install a 64-bit Raspberry Pi OS"
            )
        return None

    def traits(self) -> Facts:
        """Return the system on chip, and the firmware, which sets clocks and voltages."""
        firmware = re.search(r"^version (\w+)", self.host.run(_FIRMWARE) or "", flags=re.M)
        version = firmware.group(1)[:12] if firmware else None
        return known_facts({"soc": device_tree.soc(self.host), "firmware": version})

    def sensors(self) -> dict[str, float]:
        """Return what Linux reports and, on a Pi 5, the power of its rails.

        `power_pmic_mw` adds up the rails behind the power chip. What the 5 V input feeds directly,
        such as USB, is missing there, so no log contains it as energy.
        """
        rails = _rails_mw(self.host.run(_POWER_CHIP) or "")
        power = {"power_pmic_mw": round(sum(rails.values()), 1)} if rails else {}
        return {**super().sensors(), **power}


def _rails_mw(text: str) -> dict[str, float]:
    """Return the power of each rail in milliwatts: the product of its current and its voltage."""
    amperes = dict(re.findall(r"(\w+)_A current\(\d+\)=([\d.]+)A", text))
    volts = dict(re.findall(r"(\w+)_V volt\(\d+\)=([\d.]+)V", text))
    return {
        name: float(amperes[name]) * float(volts[name]) * 1000 for name in amperes if name in volts
    }
