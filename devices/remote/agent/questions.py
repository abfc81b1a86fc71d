"""These questions may be asked of the machine: they are the remote half of `devices.host.Host`."""

from __future__ import annotations

from typing import Callable, Dict

from devices.remote.agent.wire import Message
from devices.sensors.machine import ThisMachine

# The PATH of a user over SSH may lack these folders.
MACHINE = ThisMachine(program_folders=("/usr/local/sbin", "/usr/sbin", "/sbin"))


QUESTIONS: Dict[str, Callable[[Message], Message]] = {
    "kernel": lambda request: {"kernel": MACHINE.kernel()},
    "cpus": lambda request: {"cpus": MACHINE.usable_cpus()},
    "read": lambda request: {"text": MACHINE.read_text(request["path"])},
    "glob": lambda request: {"paths": MACHINE.glob(request["pattern"])},
    "run": lambda request: {"text": MACHINE.run(request["argv"])},
    "package": lambda request: {"version": MACHINE.package_version(request["name"])},
}
