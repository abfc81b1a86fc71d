"""The plugin `arm` is for aarch64 Linux machines without a plugin of their own, such as servers."""

from devices.linux.device import LinuxDevice
from devices.spec import HardwareRuns


class ArmDevice(LinuxDevice):
    """The processor of an aarch64 machine."""

    name = "arm"
    run_on_hardware: HardwareRuns = "never"

    def wrong_machine(self) -> str | None:
        """Return why the machine is not an aarch64 one; None when it is.

        ONNX Runtime has no wheels for 32-bit Arm. Processors of Intel and AMD have the plugin
        `cpu`.
        """
        machine = self.host.kernel().machine
        if machine == "aarch64":
            return None
        return f"{self.host.label} is not an aarch64 machine ({machine}); {self.remedy()}"
