"""The plugin `cpu` measures the processor of a machine through ONNX Runtime."""

from devices.linux.device import LinuxDevice
from devices.spec import HardwareRuns


class CpuDevice(LinuxDevice):
    """The processor of any Linux machine. The plugins of boards know more about theirs."""

    name = "cpu"
    run_on_hardware: HardwareRuns = "yes"
