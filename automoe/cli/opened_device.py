"""The device that `--device` and `--host` mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from automoe.cli.console import say
from devices import Device, DeviceUnavailableError, device_names, get_device
from devices.remote_address import (
    NamedDevice,
    RemoteAddress,
    RemoteAddressError,
    read_named_devices,
)
from devices.remote_device import open_remote_device
from devices.runtimes import ONNXRUNTIME, choose_runtime

Host = Annotated[
    str | None,
    typer.Option("--host", help="Where it is: user@board, over SSH, or a name of devices.yaml."),
]


Runtime = Annotated[
    str,
    typer.Option("--runtime", help="onnxruntime; on a GPU also tensorrt or tensorrt-rtx."),
]


@contextmanager
def opened_device(device: str, host: str | None, runtime: str = ONNXRUNTIME) -> Iterator[Device]:
    """The device, ready to be measured, for as long as the `with` block lasts.

    Args:
        device: A plugin, or a machine of `devices.yaml`.
        host: A destination of ssh, or a machine of `devices.yaml`; None for this machine.
        runtime: What it is to be measured with.

    Raises:
        UnknownDeviceError: There is no such plugin or machine.
        UnknownRuntimeError: The device is not measured with that runtime.
        RemoteAddressError: `devices.yaml` or the destination cannot be used.
        DeviceUnavailableError: The device cannot be used, or the machine cannot be reached.
    """
    name, address = resolve_device(device, host)
    if address is None:
        plugin = get_device(name)
        choose_runtime(plugin, runtime)
        yield _available(plugin)
        return
    with open_remote_device(name, address, say=say) as opened:
        choose_runtime(opened, runtime)
        yield _available(opened)


def resolve_device(device: str, host: str | None) -> tuple[str, RemoteAddress | None]:
    """The plugin that is meant, and where; see `opened_device`."""
    named = read_named_devices()
    if device in named:
        return _of_named_device(device, named[device], host)
    return device, None if host is None else resolve_host(host, named)


def resolve_host(host: str, named: dict[str, NamedDevice] | None = None) -> RemoteAddress:
    """The address that is meant: a machine of `devices.yaml`, else a destination of ssh."""
    known = read_named_devices() if named is None else named
    return known[host].address if host in known else RemoteAddress(host)


def _of_named_device(name: str, found: NamedDevice, host: str | None) -> tuple[str, RemoteAddress]:
    if name in device_names():
        raise RemoteAddressError(
            f"'{name}' is a device plugin and a machine of devices.yaml. Rename the machine."
        )
    if host is not None:
        raise RemoteAddressError(
            f"'{name}' of devices.yaml has a host already, '{found.address.destination}'. "
            f"Got '--host {host}' too; leave it out."
        )
    if found.device is None:
        raise RemoteAddressError(
            f"'{name}' of devices.yaml does not say which plugin measures it. Add a line "
            f"'device:' with one of {', '.join(device_names())}."
        )
    return found.device, found.address


def _available(device: Device) -> Device:
    if (reason := device.unavailable_reason()) is not None:
        raise DeviceUnavailableError(f"Device {device.name!r} is unavailable: {reason}.")
    if device.info().is_simulated:
        say(f"{device.name.upper()}: times are computed and say nothing about any real device.")
    return device
