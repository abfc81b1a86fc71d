"""What may be asked of the machine: the remote half of `devices.host.Host`."""

from __future__ import annotations

import os

from devices.sensors.machine import ThisMachine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    Message = Dict[str, Any]

# A user who comes over SSH may have none of these on the PATH.
MACHINE = ThisMachine(program_folders=("/usr/local/sbin", "/usr/sbin", "/sbin"))


def kernel(request: Message) -> Message:
    """What uname says."""
    name = os.uname()
    return {"kernel": [name.sysname, name.release, name.machine]}


QUESTIONS: Dict[str, Callable[[Message], Message]] = {
    "kernel": kernel,
    "cpus": lambda request: {"cpus": MACHINE.usable_cpus()},
    "read": lambda request: {"text": MACHINE.read_text(request["path"])},
    "glob": lambda request: {"paths": MACHINE.glob(request["pattern"])},
    "run": lambda request: {"text": MACHINE.run(request["argv"])},
    "package": lambda request: {"version": MACHINE.package_version(request["name"])},
}
