"""A host is the machine that a device plugin describes: this one, or one that is reached over SSH.

A plugin reads small text files and runs a few fixed commands, and nothing else. So the same plugin
describes every machine on which these two things can be done.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from devices.sensors.machine import Kernel, Machine, ThisMachine

__all__ = ["Host", "Kernel", "LocalHost"]


@runtime_checkable
class Host(Machine, Protocol):
    """A machine that a plugin may ask. No method raises because the machine lacks something.

    Attributes:
        label: The machine's name in messages: "this machine", or "pi@board" for another one.
        is_local: Whether it is the machine that runs this program.
    """

    label: str
    is_local: bool

    def kernel(self) -> Kernel:
        """Return the answer of `uname` there."""
        ...

    def run(self, argv: Sequence[str]) -> str | None:
        """Return the stripped standard output of a program, whatever its exit status is.

        Every word of `argv` is constant in the plugin's code, or a number or an identifier that was
        checked. It never contains other text of a user or a file. Return None when the program is
        missing or takes longer than ten seconds.
        """
        ...

    def package_version(self, name: str) -> str | None:
        """Return the version of a distribution in the worker's Python; None when it is missing."""
        ...


class LocalHost(ThisMachine):
    """The machine that runs this program."""

    label = "this machine"
    is_local = True
