"""This module asks the machine that runs this program about its files, processors and programs."""

from __future__ import annotations

import glob
import hashlib
import math
import os
from typing import NamedTuple, Optional, Protocol, Sequence, Tuple

CPUS = "/sys/devices/system/cpu"
MAX_TEXT_BYTES = 1 << 16
COMMAND_SECONDS = 10.0


class Kernel(NamedTuple):
    """The answer of `uname`.

    Attributes:
        system: The operating system, e.g. "Linux".
        release: The kernel's release, e.g. "6.6.31-rpi".
        machine: The instruction set, e.g. "x86_64" or "aarch64".
    """

    system: str
    release: str
    machine: str


class Machine(Protocol):
    """The part of a `devices.host.Host` that sensors are read through."""

    def usable_cpus(self) -> Tuple[int, ...]:
        """Return the processors that a worker there may use, at least one, in order."""
        ...

    def read_text(self, path: str) -> Optional[str]:
        """Return the first 64 KiB of a file as text; the path is absolute.

        Bytes that are not UTF-8 become U+FFFD. NUL bytes, spaces and line ends are stripped from
        both ends. Return None when the file cannot be read.
        """
        ...

    def glob(self, pattern: str) -> Tuple[str, ...]:
        """Return the absolute paths of files and folders that match a shell pattern, sorted."""
        ...


class ThisMachine:
    """The machine that runs this program.

    Args:
        program_folders: The folders where programs are looked for after those on the PATH.
    """

    def __init__(self, program_folders: Sequence[str] = ()) -> None:
        self._program_folders = program_folders

    def kernel(self) -> Kernel:
        """See `Host`."""
        name = os.uname()
        return Kernel(name.sysname, name.release, name.machine)

    def usable_cpus(self) -> Tuple[int, ...]:
        """Return the affinity mask of this process, which its children inherit."""
        return tuple(sorted(os.sched_getaffinity(0)))

    def read_text(self, path: str) -> Optional[str]:
        """See `Host`."""
        return read_file(path)

    def glob(self, pattern: str) -> Tuple[str, ...]:
        """See `Host`."""
        return tuple(sorted(glob.glob(pattern)))

    def run(self, argv: Sequence[str]) -> Optional[str]:
        """See `Host`."""
        import shutil  # slow to import, and a worker does not need them
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
        from importlib import metadata  # slow to import, and a worker does not need it

        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None


def read_file(path: str) -> Optional[str]:
    """Return the text of a file of this machine, as `Machine.read_text` defines it."""
    try:
        with open(path, "rb") as file:
            return clean_text(file.read(MAX_TEXT_BYTES))
    except OSError:
        return None


def sha256(path: str, n_bytes: Optional[int] = None) -> str:
    """Return the SHA-256 of a file, or of its first bytes when their number is given."""
    digest, left = hashlib.sha256(), os.path.getsize(path) if n_bytes is None else n_bytes
    with open(path, "rb") as file:
        while left > 0:
            piece = file.read(min(left, 1 << 20))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def clean_text(content: bytes) -> str:
    """Return bytes as text, in the form that `Machine.read_text` defines."""
    return content.decode(errors="replace").strip("\0 \n\r\t")


def number(text: Optional[str]) -> Optional[float]:
    """Return a text as a number; None when the text is not a finite number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
