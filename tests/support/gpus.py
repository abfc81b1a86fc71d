"""The GPU of this machine, for tests that need one; they run with ``python -m pytest -m gpu``."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devices.cuda import CudaDevice
from devices.jetson import JetsonDevice
from devices.linux.device import LinuxDevice
from devices.runtimes import choose_runtime
from profilers.workers.program.onnx_runtime import OnnxRuntimeWorker
from profilers.workers.sent_program import NAME, worker_program


def gpu_device(runtime: str) -> LinuxDevice:
    """The GPU's device with a runtime; skips the test, and says why, where there is neither."""
    reasons = []
    for device in (CudaDevice(), JetsonDevice()):
        if runtime not in device.runtime_choices:
            continue
        choose_runtime(device, runtime)
        reason = device.unavailable_reason()
        if reason is None:
            return device
        reasons.append(reason)
    pytest.skip("; ".join(reasons))


def answers(device: LinuxDevice, folder: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What a worker of the device answers; its engines are kept in the folder."""
    program = folder / NAME
    program.write_bytes(worker_program(device.runtime))
    run = subprocess.run(
        device.worker_command(program),
        input=b"".join(json.dumps(request).encode() + b"\n" for request in requests),
        capture_output=True,
        timeout=600,
        check=True,
        env={
            **os.environ,
            **device.worker_environment(),
            "XDG_CACHE_HOME": str(folder / "caches"),
        },
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def check_workload(
    device: LinuxDevice, folder: Path, path: Path, rounding: float
) -> dict[str, Any]:
    """Assert that the GPU computes what the processor does, and give three timed samples.

    Args:
        rounding: How far sums of an output may be apart, as a share of the sum of its elements'
            sizes.
    """
    load = {"op": "load", "id": "w", "workload": str(path), "threads": 1}
    outputs, block = {"op": "outputs", "id": "w"}, {"op": "block", "id": "w", "samples": 3}
    replies = answers(device, folder, {"op": "hello"}, load, outputs, block)
    assert [reply["error"] for reply in replies if "error" in reply] == []
    worker = OnnxRuntimeWorker()
    worker.answer(json.dumps(load).encode())
    for call, values in worker.answer(json.dumps(outputs).encode())["outputs"].items():
        for name, expected in values.items():
            got = replies[2]["outputs"][call][name]
            assert got["shape"] == expected["shape"]
            # Integers say where tokens go, and how many: they are exact.
            far = 0 if "int" in expected["dtype"] else rounding * expected["sum_of_sizes"]
            for total in ("sum", "sum_of_sizes", "ordered_sum"):
                assert got[total] == pytest.approx(expected[total], rel=0, abs=far + 1e-9)
    return replies[3]
