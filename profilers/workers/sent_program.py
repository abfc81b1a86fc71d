"""The program of `profilers/workers/program` as it is sent: a zip that Python runs."""

from functools import cache

from devices.runtimes import ONNXRUNTIME
from devices.zipped import zipped_program

NAME = "worker.zip"
_PROGRAM = "profilers/workers/program"


@cache
def worker_program(runtime: str) -> bytes:
    """The worker of a runtime; it holds nothing of ours but itself and what reads sensors."""
    packages, main = ["devices/sensors", _PROGRAM], "profilers.workers.program.onnx_runtime"
    if runtime != ONNXRUNTIME:
        packages.append(f"{_PROGRAM}/tensorrt")
        main = "profilers.workers.program.tensorrt.worker"
    return zipped_program(packages, main, is_compiled=True)
