"""Declare the options that name a device, and open the device that they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from automoe.cli.console import say
from automoe.cli.options import GROUPS
from devices import Device, DeviceInfo, opening
from devices.runtimes import ONNXRUNTIME

ON_DEVICE = Parameter(group=GROUPS["The device"])
HOST = Parameter(metavar="HOST")
Host = Annotated[
    str | None,
    ON_DEVICE,
    HOST,
    Parameter(help="Host of the device: user@board, over SSH, or a name of devices.yaml."),
]
LockClocks = Annotated[
    bool,
    ON_DEVICE,
    Parameter(
        help="Hold the clocks with sudo while something is measured, and release them afterwards."
    ),
]

Runtime = Annotated[
    str,
    ON_DEVICE,
    Parameter(help="Runtime: onnxruntime; on a GPU also tensorrt or tensorrt-rtx."),
]


@contextmanager
def opened_and_announced(
    device: str,
    host: str | None,
    runtime: str = ONNXRUNTIME,
    *,
    is_measured: bool = True,
    holds_clocks: bool = False,
) -> Iterator[Device]:
    """Open a device with `devices.opening.opened_device`; tell the user when it is simulated.

    When it is measured, the session waits until nobody else measures there.
    """
    flags = {"is_measured": is_measured, "holds_clocks": holds_clocks, "waits": True}
    with opening.opened_device(device, host, runtime, say=say, **flags) as opened:
        announce(opened.info())
        yield opened


def announce(info: DeviceInfo) -> None:
    """Tell the user when a device is simulated."""
    if info.is_simulated:
        say(f"{info.name.upper()}: times are computed and say nothing about any real device.")
