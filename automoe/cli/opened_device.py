"""The device that `--device` and `--host` mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from automoe.cli.console import say
from devices import Device
from devices.opening import opened_device as opened
from devices.runtimes import ONNXRUNTIME

Host = Annotated[
    str | None,
    Parameter(help="Where it is: user@board, over SSH, or a name of devices.yaml."),
]
LockClocks = Annotated[bool, Parameter(help="Hold its clocks meanwhile, with sudo; undone.")]


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
    """As `devices.opening.opened_device`; on stderr, what there is to say of it."""
    opening = opened(
        device, host, runtime, say=say, is_measured=is_measured, holds_clocks=holds_clocks
    )
    with opening as found:
        if found.info().is_simulated:
            say(f"{found.name.upper()}: times are computed and say nothing about any real device.")
        yield found
