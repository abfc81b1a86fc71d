"""A view of the machine that a device plugin describes: this one, or one at the end of a line.

A plugin reads small text files and runs a few fixed commands, and nothing else, so the same
plugin describes a machine through whatever carries those two.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from devices.sensors.machine import Kernel, Machine, ThisMachine

__all__ = ["Host", "Kernel", "LocalHost"]


@runtime_checkable
class Host(Machine, Protocol):
    """What a plugin may ask of a machine. Nothing here raises for what the machine lacks.

    Attributes:
        label: How messages name it: "this machine", or "pi@board" for one elsewhere.
        is_local: Whether it is the machine that runs this program.
    """

    label: str
    is_local: bool

    def kernel(self) -> Kernel:
        """What `uname` says there."""
        ...

    def run(self, argv: Sequence[str]) -> str | None:
        """The stripped standard output of a program, whatever its exit status.

        `argv` is constant in the plugin's code, or holds besides a number or an identifier that
        was checked; no other text of a user or a file.
        None when there is no such program, or when it takes longer than ten seconds.
        """
        ...

    def package_version(self, name: str) -> str | None:
        """The version of a distribution in the Python that a worker runs in; None without it."""
        ...


class LocalHost(ThisMachine):
    """The machine that runs this program."""

    label = "this machine"
    is_local = True
