"""A Raspberry Pi with a 64-bit system: the cores, and what the firmware says of heat and voltage.

`vcgencmd` needs no root but the group `video`; where it may not be run, the kernel's files serve.
"""

import re

from devices.linux import device_tree
from devices.linux.device import LinuxDevice
from devices.spec import Facts, HardwareRuns

_FIRMWARE = ("vcgencmd", "version")
_POWER_CHIP = ("vcgencmd", "pmic_read_adc")


class RaspberryPiDevice(LinuxDevice):
    """The cores of a Raspberry Pi."""

    name = "raspberry-pi"
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """The device tree names the board; ONNX Runtime has no wheels for 32-bit systems."""
        is_pi = any(x.startswith("raspberrypi,") for x in device_tree.compatible(self.host))
        machine = self.host.kernel().machine
        if not is_pi:
            return f"{self.host.label} is no Raspberry Pi ({self.what_it_is()}); {self.remedy()}"
        if machine != "aarch64":
            return (
                f"{self.host.label} runs a 32-bit system ({machine}), for which there is no "
                f"onnxruntime; install a 64-bit Raspberry Pi OS"
            )
        return None

    def traits(self) -> Facts:
        """The system on chip, and the firmware, which sets clocks and voltages."""
        firmware = re.search(r"^version (\w+)", self.host.run(_FIRMWARE) or "", flags=re.M)
        facts = {
            "soc": device_tree.soc(self.host),
            "firmware": firmware.group(1)[:12] if firmware else None,
        }
        return tuple((name, value) for name, value in facts.items() if value)

    def sensors(self) -> dict[str, float]:
        """What Linux reports, and from a Pi 5 the power of its rails.

        `power_pmic_mw` adds up the rails behind the power chip. What is fed from the 5 V input
        itself, USB for one, is not in it, so it stands in no log as energy.
        """
        rails = _rails_mw(self.host.run(_POWER_CHIP) or "")
        power = {"power_pmic_mw": round(sum(rails.values()), 1)} if rails else {}
        return {**super().sensors(), **power}


def _rails_mw(text: str) -> dict[str, float]:
    """Current times voltage of each rail that has both; they are paired by name."""
    amperes = dict(re.findall(r"(\w+)_A current\(\d+\)=([\d.]+)A", text))
    volts = dict(re.findall(r"(\w+)_V volt\(\d+\)=([\d.]+)V", text))
    return {
        name: float(amperes[name]) * float(volts[name]) * 1000 for name in amperes if name in volts
    }
