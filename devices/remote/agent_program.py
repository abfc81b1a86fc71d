"""This module gives `devices/remote/agent` the form in which it is sent: the relay, and a zip."""

from functools import cache
from pathlib import Path

from devices.zipped import zipped_program


@cache
def relay_source() -> bytes:
    """Return the source of the relay, which the remote interpreter runs first."""
    return Path(__file__).with_name("agent").joinpath("relay.py").read_bytes()


@cache
def keeper_program() -> bytes:
    """Return a zip that Python runs; it holds only the agent and the readers of the machine."""
    packages = ("devices/remote/agent", "devices/sensors")
    return zipped_program(packages, "devices.remote.agent.keeper")
