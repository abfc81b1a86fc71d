"""This module opens the device that a name and a host mean, so that nobody else measures on it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from devices.host import LocalHost
from devices.linux.held_clocks import held_clocks
from devices.registry import device_names, get_device
from devices.remote.address import (
    NamedDevice,
    RemoteAddress,
    RemoteAddressError,
    read_named_devices,
)
from devices.remote.agent.lock import describe_holder, open_lock, try_lock
from devices.remote.agent.wire import Refused
from devices.remote.device import open_remote_device
from devices.remote.host import say_nothing
from devices.remote.session import Say
from devices.runtimes import ONNXRUNTIME, choose_runtime
from devices.spec import Device, DeviceBusyError, DeviceUnavailableError

_WAIT_SECONDS = 2.0  # between two looks whether another session has ended


@contextmanager
def opened_device(
    device: str,
    host: str | None = None,
    runtime: str = ONNXRUNTIME,
    *,
    say: Say = say_nothing,
    is_measured: bool = True,
    holds_clocks: bool = False,
    waits: bool = False,
) -> Iterator[Device]:
    """Open a device for as long as the `with` block lasts.

    Args:
        device: The name of a plugin, or of a machine of `devices.yaml`.
        host: A destination of ssh, or the name of a machine of `devices.yaml`; None for this
            machine.
        runtime: The runtime to measure with.
        say: Called with a message when a connection is lost and when it is back.
        is_measured: Whether other sessions must keep off the machine meanwhile.
        holds_clocks: Whether to hold the device's clocks meanwhile, which needs root.
        waits: Whether to wait while another session measures, after a message.

    Raises:
        UnknownDeviceError: There is no such plugin or machine.
        UnknownRuntimeError: The device is not measured with that runtime.
        RemoteAddressError: `devices.yaml` or the destination cannot be used.
        DeviceUnavailableError: The device cannot be used, the machine cannot be reached, another
            session measures on it, or its clocks cannot be held.
    """
    name, address = resolve_device(device, host)
    remote = None
    with ExitStack() as stack:
        if address is not None:
            remote = stack.enter_context(open_remote_device(name, address, say=say))
        plugin = remote.plugin if remote else get_device(name)
        choose_runtime(plugin, runtime)
        if (reason := (remote or plugin).unavailable_reason()) is not None:
            raise DeviceUnavailableError(f"Device {plugin.name!r} is unavailable: {reason}.")
        if is_measured and remote:
            _when_free(remote.host.lock, say, waits=waits)
        elif is_measured and not plugin.info().is_simulated:
            _when_free(lambda: stack.enter_context(_locked(name)), say, waits=waits)
        if holds_clocks:
            machine = remote.host if remote else LocalHost()
            stack.enter_context(held_clocks(plugin, machine, say))
        yield remote or plugin


def _when_free(take: Callable[[], None], say: Say, *, waits: bool) -> None:
    """Take a machine, at once or when the session that measures there has ended."""
    is_told = False
    while True:
        try:
            take()
            return
        except DeviceBusyError as error:
            if not waits:
                raise
            if not is_told:
                say(f"{error.who} This session waits for its end; Ctrl-C stops it.")
            is_told = True
            time.sleep(_WAIT_SECONDS)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold the lock that sessions from other machines take here as well."""
    try:
        lock = open_lock()
    except Refused as error:
        raise DeviceUnavailableError(
            f"Device '{name}' cannot be locked: {error}. Name a folder in AUTOMOE_LOCK_FOLDER."
        ) from None
    try:
        if not try_lock(lock):
            raise DeviceBusyError("this machine", describe_holder(lock))
        yield
    finally:
        os.close(lock)


def resolve_device(device: str, host: str | None) -> tuple[str, RemoteAddress | None]:
    """Return the name of the plugin that is meant, and the address of its machine.

    The address is None for this machine. The arguments and errors are those of `opened_device`.
    """
    named = read_named_devices()
    if device in named:
        return _of_named_device(device, named[device], host)
    return device, None if host is None else resolve_host(host, named)


def resolve_host(host: str, named: dict[str, NamedDevice] | None = None) -> RemoteAddress:
    """Return the address that a host means: a machine of `devices.yaml` or an ssh destination."""
    known = read_named_devices() if named is None else named
    return known[host].address if host in known else RemoteAddress(host)


def _of_named_device(name: str, named: NamedDevice, host: str | None) -> tuple[str, RemoteAddress]:
    if name in device_names():
        raise RemoteAddressError(
            f"'{name}' is a device plugin and a machine of devices.yaml. Rename the machine."
        )
    if host is not None:
        raise RemoteAddressError(
            f"'{name}' of devices.yaml has a host already, '{named.address.destination}'. "
            f"Got '--host {host}' too; leave it out."
        )
    if named.device is None:
        raise RemoteAddressError(
            f"'{name}' of devices.yaml does not say which plugin measures it. Add a line "
            f"'device:' with one of {', '.join(device_names())}."
        )
    return named.device, named.address
