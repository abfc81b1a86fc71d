"""What may be asked of the machine: the remote half of `devices.host.Host`."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    Message = Dict[str, Any]

MAX_TEXT_BYTES = 1 << 16
COMMAND_SECONDS = 10.0
MORE_PROGRAMS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # users lack them over SSH


def kernel(request: Message) -> Message:
    """What uname says."""
    name = os.uname()
    return {"kernel": [name.sysname, name.release, name.machine]}


def cpus(request: Message) -> Message:
    """The affinity mask, which the worker inherits."""
    return {"cpus": sorted(os.sched_getaffinity(0))}


def read(request: Message) -> Message:
    """The beginning of a text file."""
    try:
        with open(request["path"], "rb") as file:
            return {"text": clean(file.read(MAX_TEXT_BYTES))}
    except OSError:
        return {"text": None}


def find(request: Message) -> Message:
    """Paths that match."""
    return {"paths": sorted(glob.glob(request["pattern"]))}


def run(request: Message) -> Message:
    """What a program prints."""
    argv = list(request["argv"])
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), *MORE_PROGRAMS))
    program = shutil.which(argv[0], path=search)
    if program is None:
        return {"text": None}
    try:
        finished = subprocess.run(
            [program] + argv[1:],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ, LC_ALL="C", PATH=search),
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {"text": None}
    return {"text": clean(finished.stdout)}


def package(request: Message) -> Message:
    """The version of a distribution in this interpreter, which is the worker's too."""
    from importlib import metadata

    try:
        return {"version": metadata.version(request["name"])}
    except metadata.PackageNotFoundError:
        return {"version": None}


def clean(content: bytes) -> str:
    """Bytes as the text that `Host.read_text` promises."""
    return content.decode(errors="replace").strip("\0 \n\r\t")


QUESTIONS: Dict[str, Callable[[Message], Message]] = {
    "kernel": kernel,
    "cpus": cpus,
    "read": read,
    "glob": find,
    "run": run,
    "package": package,
}
