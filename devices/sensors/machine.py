"""What can be asked of the machine that runs this program: its files, processors and programs."""

from __future__ import annotations

import glob
import os
from typing import Optional, Protocol, Sequence, Tuple


class Machine(Protocol):
    """As much of a `devices.host.Host` as sensors are read through."""

    def usable_cpus(self) -> Tuple[int, ...]:
        """See `Host`."""
        ...

    def read_text(self, path: str) -> Optional[str]:
        """See `Host`."""
        ...

    def glob(self, pattern: str) -> Tuple[str, ...]:
        """See `Host`."""
        ...


MAX_TEXT_BYTES = 1 << 16
COMMAND_SECONDS = 10.0


class ThisMachine:
    """The machine that runs this program.

    Args:
        program_folders: Where programs are looked for besides the folders on the PATH.
    """

    def __init__(self, program_folders: Sequence[str] = ()) -> None:
        self._program_folders = program_folders

    def usable_cpus(self) -> Tuple[int, ...]:
        """The affinity mask of this process, which its children inherit."""
        return tuple(sorted(os.sched_getaffinity(0)))

    def read_text(self, path: str) -> Optional[str]:
        """See `Host`."""
        return read_file(path)

    def glob(self, pattern: str) -> Tuple[str, ...]:
        """See `Host`."""
        return tuple(sorted(glob.glob(pattern)))

    def run(self, argv: Sequence[str]) -> Optional[str]:
        """See `Host`."""
        import shutil  # these two are slow to import, and a worker needs neither
        import subprocess

        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *self._program_folders))
        program = shutil.which(argv[0], path=path)
        if program is None:
            return None
        try:
            finished = subprocess.run(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, LC_ALL="C", PATH=path),
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return clean_text(finished.stdout)

    def package_version(self, name: str) -> Optional[str]:
        """See `Host`."""
        from importlib import metadata  # so is this

        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None


def read_file(path: str) -> Optional[str]:
    """The text that `Host.read_text` answers for a file of this machine."""
    try:
        with open(path, "rb") as file:
            return clean_text(file.read(MAX_TEXT_BYTES))
    except OSError:
        return None


def clean_text(content: bytes) -> str:
    """The text that a `Host` makes of bytes."""
    return content.decode(errors="replace").strip("\0 \n\r\t")


def number(text: Optional[str]) -> Optional[float]:
    """The number that a text is; None for a text that is none."""
    try:
        return float(text or "")
    except ValueError:
        return None
