"""The device that `--device` and `--host` name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from automoe.cli.console import say
from devices import Device, opening
from devices.runtimes import ONNXRUNTIME

Host = Annotated[
    str | None,
    Parameter(help="Where the device is: user@board, over SSH, or a name of devices.yaml."),
]
LockClocks = Annotated[
    bool,
    Parameter(
        help="Hold the clocks while something is measured, with sudo; they are released afterwards."
    ),
]


Runtime = Annotated[
    str,
    Parameter(help="onnxruntime; on a GPU also tensorrt or tensorrt-rtx."),
]


@contextmanager
def opened_device(
    device: str,
    host: str | None,
    runtime: str = ONNXRUNTIME,
    *,
    is_measured: bool = True,
    holds_clocks: bool = False,
) -> Iterator[Device]:
    """Open a device as `devices.opening.opened_device` does, and tell the user about it."""
    session = opening.opened_device(
        device, host, runtime, say=say, is_measured=is_measured, holds_clocks=holds_clocks
    )
    with session as opened:
        if opened.info().is_simulated:
            say(f"{opened.name.upper()}: times are computed and say nothing about any real device.")
        yield opened
