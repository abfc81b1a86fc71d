"""A worker answers requests from stdin until one says quit or the client has gone."""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO, Callable, Dict, Tuple

from devices.sensors.energy import find_meter
from devices.sensors.nvml import find_gpu
from profilers.workers.program.machine_state import THIS_MACHINE
from profilers.workers.program.worker import Worker

PROVIDER_VARIABLE = "AUTOMOE_PROVIDER"
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def serve(open_worker: Callable[[], Worker]) -> None:
    """Answer requests until one says quit or stdin ends."""
    requests, replies = take_over_pipes()
    worker = open_worker()
    while worker.running:
        line = requests.readline()
        if not line:  # the client has gone
            break
        replies.write(json.dumps(worker.answer(line)).encode() + b"\n")
        replies.flush()


def take_over_pipes() -> Tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol. Whatever a library prints goes to stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.dup2(2, 1)
    return requests, replies


def provider() -> str:
    """Return the only execution provider that may run a model. The client has chosen it."""
    return os.environ.get(PROVIDER_VARIABLE, CPU)


def instruments() -> Dict[str, Any]:
    """Return the GPU that models run on, and the best meter of its or the machine's energy."""
    gpu = find_gpu() if provider() == CUDA else None
    return {"meter": find_meter(THIS_MACHINE, gpu), "gpu": gpu}
