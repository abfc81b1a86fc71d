"""The worker of TensorRT runs graphs as engines and keeps their tensors on the GPU."""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from profilers.workers.program.loaded_workload import LoadedWorkload, PreparedCall, read_document
from profilers.workers.program.serving import instruments, serve
from profilers.workers.program.tensorrt.building import dialect_of, shape_ranges
from profilers.workers.program.tensorrt.cuda import Buffer, Cuda, DeviceTensor, open_cuda
from profilers.workers.program.tensorrt.engines import Engines
from profilers.workers.program.tensorrt.kept_files import cache_folder
from profilers.workers.program.tensorrt.session import Session
from profilers.workers.program.tensors import make_array
from profilers.workers.program.worker import Worker

Feeds = Dict[str, Any]

RUNTIME_VARIABLE = "AUTOMOE_RUNTIME"
TENSORRT = "tensorrt"
MODULES = {TENSORRT: "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


class TensorRtWorker(Worker):
    """A worker process with TensorRT.

    Args:
        runtime: The runtime: "tensorrt" or "tensorrt-rtx".
        find_parts: The function to use instead of `installed_parts`.
        instruments: The `meter` and the `gpu`; see `Worker`.
    """

    on_gpu = True

    def __init__(
        self,
        runtime: str = TENSORRT,
        find_parts: Optional[Callable[[str], Tuple[Any, Any, str]]] = None,
        **instruments: Any,
    ) -> None:
        super().__init__(**instruments)
        self.runtime = runtime
        self.find_parts = find_parts or installed_parts
        self.opened: Optional[Tuple[Cuda, Engines]] = None

    def open(self) -> Tuple[Cuda, Engines]:
        """Return CUDA and the engines. They are opened when they are first needed.

        So a missing part is reported in an answer.
        """
        if self.opened is None:
            trt, library, folder = self.find_parts(self.runtime)
            cuda = Cuda(library)
            self.opened = (cuda, Engines(trt, cuda.gpu(), folder))
        return self.opened

    def describe_runtime(self) -> Dict[str, Any]:
        """See `Worker`."""
        cuda, engines = self.open()
        return {
            "runtime": self.runtime,
            "runtime_version": engines.trt.__version__,
            "dialect": dialect_of(engines.trt),
            "providers": [],
            "gpu": cuda.gpu(),
        }

    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> LoadedWorkload:
        """Return a workload whose graphs are engines; `threads` and `options` are not used."""
        cuda, engines = self.open()
        document, files = read_document(path)
        sessions = {}
        for name, file in files.items():
            engine, kept = engines.open(file, shape_ranges(document, name))
            sessions[name] = Session(engines.trt, cuda, engine, kept + ".kernels")
        return LoadedWorkload(
            [TensorRtCall(spec, sessions[spec["graph"]]) for spec in document["calls"]]
        )

    def unload(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Forget a workload, and keep the kernels that were compiled for it."""
        keep_kernels(self.workload_of(request))
        return super().unload(request)


class TensorRtCall(PreparedCall):
    """A call whose tensors stay on the GPU, including the decoder's cache."""

    def __init__(self, spec: Dict[str, Any], session: Session) -> None:
        self.session = session
        # A run reads what the run before it wrote, so two sets of outputs are used in turn.
        self.buffers: List[Dict[str, Buffer]] = [{}, {}]
        super().__init__(spec, session.outputs)

    def tensor(self, name: str, spec: Dict[str, Any]) -> DeviceTensor:
        """Return a tensor of the type that the engine takes: TensorRT 8 has INT32 instead of INT64.

        Raises:
            ValueError: The engine has no such input.
        """
        if name not in self.session.dtypes:
            raise ValueError("the engine has no input %r; it has %s" % (name, self.session.inputs))
        array = make_array(spec)
        return DeviceTensor.of(self.session.cuda, array.astype(self.session.dtypes[name]))

    def run(self, produced: Dict[str, Feeds], see: Any = None, laps_ns: Any = None) -> Feeds:
        """See `PreparedCall`."""
        self.gpu_ms = 0.0
        return super().run(produced, see, laps_ns)

    def outputs_of(self, feeds: Feeds) -> List[DeviceTensor]:
        """See `PreparedCall`."""
        self.buffers.reverse()
        made, gpu_ms = self.session.run(feeds, self.buffers[0])
        self.gpu_ms = (self.gpu_ms or 0.0) + gpu_ms
        return made


def installed_parts(runtime: str) -> Tuple[Any, Any, str]:
    """Return TensorRT's module, the CUDA runtime's library, and the folder of kept engines."""
    return importlib.import_module(MODULES[runtime]), open_cuda(runtime), cache_folder()


def keep_kernels(workload: LoadedWorkload) -> None:
    """Keep the kernels that the sessions of a workload have compiled."""
    for call in workload.calls:
        call.session.keep_kernels()


def main() -> None:
    """Answer requests with TensorRT until one says quit or stdin ends."""
    runtime = os.environ.get(RUNTIME_VARIABLE, TENSORRT)
    serve(lambda: TensorRtWorker(runtime, **instruments()))
