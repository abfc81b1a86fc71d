"""This package knows machines: what each one is, what disturbs it and how to open it."""

from devices.host import Host, Kernel, LocalHost
from devices.registry import (
    DeviceStatus,
    UnknownDeviceError,
    describe_devices,
    device_names,
    get_device,
)
from devices.spec import (
    Device,
    DeviceInfo,
    DeviceUnavailableError,
    Finding,
    HardwareRuns,
    LocalDevice,
)

__all__ = [
    "Device",
    "DeviceInfo",
    "DeviceStatus",
    "DeviceUnavailableError",
    "Finding",
    "HardwareRuns",
    "Host",
    "Kernel",
    "LocalDevice",
    "LocalHost",
    "UnknownDeviceError",
    "describe_devices",
    "device_names",
    "get_device",
]
