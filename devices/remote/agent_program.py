"""The program of `devices/remote/agent` as it is sent: the source of the relay, and a zip."""

from functools import cache
from pathlib import Path

from devices.zipped import zipped_program


@cache
def relay_source() -> bytes:
    """What the remote interpreter runs first."""
    return Path(__file__).with_name("agent").joinpath("relay.py").read_bytes()


@cache
def keeper_program() -> bytes:
    """A zip that Python runs; it holds nothing of ours but the agent and what reads a machine."""
    packages = ("devices/remote/agent", "devices/sensors")
    return zipped_program(packages, "devices.remote.agent.keeper")
