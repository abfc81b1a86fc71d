"""The processor of a host, through ONNX Runtime."""

from devices.linux.device import LinuxDevice
from devices.spec import HardwareRuns


class CpuDevice(LinuxDevice):
    """A processor that Linux runs on; boards have plugins that know more of them."""

    name = "cpu"
    run_on_hardware: HardwareRuns = "yes"
