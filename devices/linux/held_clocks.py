"""This module holds clocks at one value while something is measured.

It needs root, so it happens only when the user asks for it, and the clocks are released at the end.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from devices.host import Host
from devices.spec import DeviceUnavailableError

_HELD, _UNDONE = "held", "undone"
_ROOT = ("sudo", "-n", "sh", "-c")  # -n: sudo must not ask for a password
_GOVERNORS = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"


@dataclass(frozen=True, slots=True)
class ClockCommands:
    """The commands that hold the clocks of a machine and release them.

    Attributes:
        hold: An argv that prints "held" when the clocks are held.
        undo: An argv that prints "undone" when the clocks follow the load again.
    """

    hold: tuple[str, ...]
    undo: tuple[str, ...]


@runtime_checkable
class HoldsClocks(Protocol):
    """A device that can hold its clocks.

    Attributes:
        has_held_clocks: Whether its clocks are held. The device's power mode says it too.
    """

    has_held_clocks: bool

    def clock_commands(self) -> ClockCommands | str | None:
        """Return the commands, or the reason why there are none.

        Return None when the clocks are already held.
        """
        ...


def as_root(hold: str, undo: str, *words: str) -> ClockCommands:
    """Return the commands that run two scripts in a root shell.

    Args:
        hold: A constant script that holds the clocks, and fails when it cannot.
        undo: A constant script that releases them.
        words: The words that the scripts call $0, $1 and so on.
    """
    return ClockCommands(
        (*_ROOT, f"{hold} && echo {_HELD}", *words), (*_ROOT, f"{undo} && echo {_UNDONE}", *words)
    )


def governor_commands(governor: str) -> ClockCommands | str | None:
    """Return the commands that hold a processor's clocks and restore its cpufreq governor.

    See `HoldsClocks`.

    Args:
        governor: The present governor.
    """
    if governor == "performance":
        return None
    if governor == "unknown" or not governor.isidentifier():  # several governors are joined by "+"
        return f"its cores must have one cpufreq governor to return to. Got '{governor}'"
    script = f'for file in {_GOVERNORS}; do echo {{}} > "$file" || exit 1; done'
    return as_root(script.format("performance"), script.format('"$0"'), governor)


@contextmanager
def held_clocks(device: object, host: Host, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the clocks of a device for as long as the `with` block lasts.

    Args:
        device: The device's plugin.
        host: The device's machine.
        say: Called with how to release the clocks by hand, in case this process is killed, and
            again when they are released.

    Raises:
        DeviceUnavailableError: The clocks cannot be held.
    """
    if not isinstance(device, HoldsClocks):
        raise _cannot_be_held(host, "its plugin has no command for it")
    commands = device.clock_commands()
    if isinstance(commands, str):
        raise _cannot_be_held(host, commands)
    if commands is None:
        yield
        return
    if host.run((*_ROOT, "echo root")) != "root":
        raise DeviceUnavailableError(
            f"The clocks of {host.label} cannot be held: its user may not run sudo without a "
            f"password. Allow it, run {_shown(commands.hold)} yourself, or leave out --lock-clocks."
        )
    try:
        if host.run(commands.hold) != _HELD:
            raise DeviceUnavailableError(
                f"The clocks of {host.label} cannot be held: {_shown(commands.hold)} fails. Run it "
                "yourself to see why, or leave out --lock-clocks."
            )
        say(f"The clocks of {host.label} are held. To release them, run: {_shown(commands.undo)}")
        device.has_held_clocks = True
        yield
    finally:
        device.has_held_clocks = False
        is_undone = False
        with suppress(DeviceUnavailableError):  # the connection may be lost
            is_undone = host.run(commands.undo) == _UNDONE
        if is_undone:
            say(f"The clocks of {host.label} follow the load again.")
        else:
            say(f"The clocks of {host.label} may still be held. Run: {_shown(commands.undo)}")


def _cannot_be_held(host: Host, why: str) -> DeviceUnavailableError:
    return DeviceUnavailableError(
        f"The clocks of {host.label} cannot be held: {why}. Leave out --lock-clocks."
    )


def _shown(argv: Sequence[str]) -> str:
    return shlex.join(word for word in argv if word != "-n")
