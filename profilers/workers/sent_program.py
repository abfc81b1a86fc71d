"""This module gives `profilers/workers/program` the form in which it is sent: a zip."""

from functools import cache

from devices.runtimes import ONNXRUNTIME
from devices.zipped import zipped_program

NAME = "worker.zip"
_PROGRAM = "profilers/workers/program"


@cache
def worker_program(runtime: str) -> bytes:
    """Return a zip that Python runs. It holds a runtime's worker and the readers of sensors."""
    packages, main = ["devices/sensors", _PROGRAM], "profilers.workers.program.onnx_runtime"
    if runtime != ONNXRUNTIME:
        packages.append(f"{_PROGRAM}/tensorrt")
        main = "profilers.workers.program.tensorrt.worker"
    return zipped_program(packages, main, is_compiled=True)
