"""A remote device is a plugin that describes another machine over a connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from devices.registry import get_device
from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost, say_nothing
from devices.remote.session import PATIENCE_SECONDS, Say
from devices.runtimes import runtime_of
from devices.spec import Device, DeviceInfo, DeviceUnavailableError, Finding

_T = TypeVar("_T")


class RemoteDevice:
    """A device on another machine. `profilers.RemoteWorker` starts workers there.

    Attributes:
        plugin: The plugin that describes the machine.
        host: The machine. Its `session` starts workers there.
    """

    def __init__(self, plugin: Device, host: RemoteHost) -> None:
        self.plugin = plugin
        self.host = host
        self.name = plugin.name
        self.run_on_hardware = plugin.run_on_hardware
        self.worker_environment = plugin.worker_environment

    def unavailable_reason(self) -> str | None:
        """See `Device`."""
        return self._told(self.plugin.unavailable_reason)

    def info(self) -> DeviceInfo:
        """See `Device`."""
        return self._told(self.plugin.info)

    def sensors(self) -> dict[str, float]:
        """See `Device`."""
        return self._told(self.plugin.sensors)

    def doctor(self) -> tuple[Finding, ...]:
        """See `Device`."""
        return self._told(self.plugin.doctor)

    def _told(self, question: Callable[[], _T]) -> _T:
        """Return what the plugin makes of what the machine says of itself.

        Raises:
            DeviceUnavailableError: The plugin can make nothing of it.
        """
        try:
            return question()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DeviceUnavailableError(
                f"What {self.host.label} says of itself cannot be read by the device {self.name!r} "
                f"({type(error).__name__}: {error}). Look at what runs there."
            ) from error

    @property
    def runtime(self) -> str:
        """Return the runtime that the plugin measures with."""
        return runtime_of(self.plugin)


@contextmanager
def open_remote_device(
    name: str,
    address: RemoteAddress,
    *,
    say: Say = say_nothing,
    patience_s: float = PATIENCE_SECONDS,
) -> Iterator[RemoteDevice]:
    """Open the device called `name` at an address for as long as the `with` block lasts.

    Args:
        name: The plugin's name.
        address: The address of the machine.
        say: Called with a message when a connection is lost and when it is back.
        patience_s: The time for which a lost connection is tried again, in seconds.

    Raises:
        UnknownDeviceError: No plugin has that name. Nothing was connected.
        ConnectionFailedError: The machine cannot be reached or has no usable Python.
    """
    host = RemoteHost(address, say=say, patience_s=patience_s)
    plugin = get_device(name, host)
    with host:
        yield RemoteDevice(plugin, host)
