"""A view of the machine that a device plugin describes: this one, or one at the end of a line.

A plugin reads small text files and runs a few fixed commands, and nothing else, so the same
plugin describes a machine through whatever carries those two.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from devices.sensors.machine import ThisMachine


@dataclass(frozen=True, slots=True)
class Kernel:
    """What `uname` says.

    Attributes:
        system: The operating system, e.g. "Linux".
        release: The kernel's release, e.g. "6.6.31-rpi".
        machine: The instruction set, e.g. "x86_64" or "aarch64".
    """

    system: str
    release: str
    machine: str


@runtime_checkable
class Host(Protocol):
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

    def usable_cpus(self) -> tuple[int, ...]:
        """The processors that a worker started there may use, in order; at least one."""
        ...

    def read_text(self, path: str) -> str | None:
        """The first 64 KiB of the file at an absolute path, as UTF-8 with U+FFFD for what is not.

        NUL bytes, spaces and line ends are stripped from both ends. None when it cannot be read.
        """
        ...

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The absolute paths of files and folders that match a shell pattern, sorted."""
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

    def kernel(self) -> Kernel:
        """What `uname` says."""
        name = os.uname()
        return Kernel(name.sysname, name.release, name.machine)
