"""The program of `profilers/workers/program` as it is sent: a zip that Python runs."""

from functools import cache

from devices.runtimes import ONNXRUNTIME
from devices.zipped import zipped_program

NAME = "worker.zip"
_PROGRAM = "profilers/workers/program"


@cache
def worker_program(runtime: str) -> bytes:
    """The worker of a runtime; it holds nothing of ours but itself and what reads sensors."""
    packages = ["devices/sensors", _PROGRAM]
    if runtime == ONNXRUNTIME:
        return zipped_program(packages, "profilers.workers.program.onnx_runtime")
    packages.append(f"{_PROGRAM}/tensorrt")
    return zipped_program(packages, "profilers.workers.program.tensorrt.worker")
