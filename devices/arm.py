"""Any aarch64 Linux machine that has no plugin of its own: a server, a phone, another board."""

from devices.linux.device import LinuxDevice
from devices.spec import HardwareRuns


class ArmDevice(LinuxDevice):
    """The cores of an aarch64 machine."""

    name = "arm"
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """ONNX Runtime has no wheels for 32-bit Arm, and Intel's and AMD's are `cpu`."""
        machine = self.host.kernel().machine
        if machine == "aarch64":
            return None
        return f"{self.host.label} is no aarch64 machine ({machine}); {self.remedy()}"
