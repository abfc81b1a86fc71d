"""This module lists the installed devices. All plugins are registered as entry points."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from devices.host import Host
from devices.spec import DeviceInfo, DeviceUnavailableError, HardwareRuns, LocalDevice

GROUP = "automoe.devices"
_OTHER_NAMES = {
    **dict.fromkeys(("gpu", "nvidia", "nvidia-gpu"), "cuda"),
    **dict.fromkeys(("pi", "rpi"), "raspberry-pi"),
    **dict.fromkeys(("nano", "orin", "xavier"), "jetson"),
    **dict.fromkeys(("aarch64", "arm64"), "arm"),
    **dict.fromkeys(("host", "local", "x86", "x86-64"), "cpu"),
}
_CLOSE = 0.7


class UnknownDeviceError(ValueError):
    """There is no installed plugin with the name that was asked for."""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The answer of one plugin about a machine.

    Attributes:
        name: The plugin's name.
        reason: The reason why the device cannot be used; None when it can.
        info: The description of the machine; None when `reason` is given.
        run_on_hardware: Whether somebody has measured with the plugin, see `Device`; None when it
            cannot be loaded.
    """

    name: str
    reason: str | None
    info: DeviceInfo | None
    run_on_hardware: HardwareRuns | None = None


def device_names() -> tuple[str, ...]:
    """Return the names of the installed devices, sorted. No plugin is imported.

    Raises:
        ValueError: Two plugins claim the same name.
    """
    return tuple(sorted(_plugins()))


def get_device(name: str, host: Host | None = None) -> LocalDevice:
    """Return the device called `name`, whether or not it can be used now.

    Args:
        name: The plugin's name.
        host: The machine that it describes. The default is this machine.

    Raises:
        UnknownDeviceError: No plugin has that name.
        DeviceUnavailableError: The plugin cannot be loaded.
    """
    plugins = _plugins()
    if name not in plugins:
        installed = ", ".join(sorted(plugins)) or "none"
        raise UnknownDeviceError(
            f"Unknown device {name!r}.{_meant(name, plugins)} Installed devices: {installed}."
        )
    return _load(plugins[name], host)


def describe_devices(host: Host | None = None) -> list[DeviceStatus]:
    """Return the status of every installed device on a host; the default is this machine.

    When a plugin fails, its status contains the error, and the other plugins are not affected.
    """
    return [_describe(plugin, host) for _, plugin in sorted(_plugins().items())]


def _plugins() -> dict[str, EntryPoint]:
    plugins: dict[str, EntryPoint] = {}
    for plugin in entry_points(group=GROUP):
        other = plugins.setdefault(plugin.name, plugin)
        if other.value != plugin.value:
            raise ValueError(
                f"Device names must be unique. {plugin.name!r} is claimed by {other.value} "
                f"and {plugin.value}. Uninstall one of the two."
            )
    return plugins


def _meant(name: str, plugins: Collection[str]) -> str:
    """Return the question whether another device was meant; empty when none is similar."""
    close = get_close_matches(name.lower(), plugins, n=1, cutoff=_CLOSE)
    meant = [each for each in (_OTHER_NAMES.get(name.lower()), *close) if each in plugins]
    return f" Did you mean {meant[0]!r}?" if meant else ""


def _load(plugin: EntryPoint, host: Host | None = None) -> LocalDevice:
    try:
        factory = cast("Callable[..., LocalDevice]", plugin.load())
        device = factory() if host is None else factory(host)
    except Exception as error:  # a plugin is foreign code, which may raise anything
        raise DeviceUnavailableError(
            f"Device {plugin.name!r} ({plugin.value}) cannot be loaded. "
            f"{type(error).__name__}: {error}. Repair or uninstall its package."
        ) from error
    if not isinstance(device, LocalDevice):
        raise DeviceUnavailableError(
            f"Device {plugin.name!r} must implement devices.LocalDevice. "
            f"Got {type(device).__name__}. Test it with devices.testing.DeviceContract."
        )
    return device


def _describe(plugin: EntryPoint, host: Host | None) -> DeviceStatus:
    try:
        device = _load(plugin, host)
    except DeviceUnavailableError as error:
        return DeviceStatus(plugin.name, str(error), None)
    runs = device.run_on_hardware
    try:
        reason = device.unavailable_reason()
        return DeviceStatus(plugin.name, reason, None if reason else device.info(), runs)
    except Exception as error:  # a plugin is foreign code, which may raise anything
        return DeviceStatus(plugin.name, f"{type(error).__name__}: {error}", None, runs)
