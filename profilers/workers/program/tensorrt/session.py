"""A session runs an engine: its inputs are bound, and its outputs lie in buffers on the GPU."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, List, Tuple

from profilers.workers.program.tensorrt.cuda import Buffer, Cuda, DeviceTensor
from profilers.workers.program.tensorrt.kept_files import keep, read_own

Feeds = Dict[str, Any]

NUMPY_TYPES = {
    **{"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32"},
    **{"INT64": "int64", "BOOL": "bool", "UINT8": "uint8"},
}


class Session:
    """An engine with one execution context on one stream.

    Args:
        trt: TensorRT's module.
        cuda: The CUDA runtime.
        engine: The engine.
        kernels: The file that keeps the kernels which TensorRT for RTX compiles.

    Raises:
        RuntimeError: There is no execution context, or an input or an output must be on the CPU.
    """

    def __init__(self, trt: Any, cuda: Cuda, engine: Any, kernels: str = "") -> None:
        self.cuda = cuda
        self.engine = engine
        self.kernels = kernels
        self.context, self.compiled = open_context(trt, engine, kernels)
        if self.context is None:
            raise RuntimeError("TensorRT gives no execution context; free memory of the GPU")
        self.stream = cuda.handle("cudaStreamCreate")
        self.start, self.end = cuda.handle("cudaEventCreate"), cuda.handle("cudaEventCreate")
        self.bound: Feeds = {}
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self.inputs = [x for x in names if engine.get_tensor_mode(x) == trt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if name not in self.inputs]
        self.dtypes = {name: numpy_dtype(engine.get_tensor_dtype(name)) for name in names}
        for name in names:
            if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
                raise RuntimeError(
                    "%r is a shape and must be on the CPU, which is not supported; make an input "
                    "a constant of the graph, and leave such an output out" % name
                )

    def run(self, feeds: Feeds, buffers: Dict[str, Buffer]) -> Tuple[List[DeviceTensor], float]:
        """Return the outputs of one run, and how long the GPU took in milliseconds.

        The outputs lie in the buffers, which grow when they must.
        """
        for name in self.inputs:
            tensor = feeds[name]
            if self.bound.get(name) is not tensor:  # most are the same as in the last run
                self.bind(name, tensor)
        made = [self.room_for(name, buffers) for name in self.outputs]
        stream = ctypes.c_void_p(self.stream)
        self.cuda.call("cudaEventRecord", ctypes.c_void_p(self.start), stream)
        if not self.context.execute_async_v3(self.stream):
            self.cuda.call("cudaDeviceSynchronize")  # ends the process when the GPU has failed
            raise RuntimeError("TensorRT could not run the engine; look at the worker's stderr")
        self.cuda.call("cudaEventRecord", ctypes.c_void_p(self.end), stream)
        self.cuda.call("cudaStreamSynchronize", stream)
        return made, self.cuda.elapsed_ms(self.start, self.end)

    def bind(self, name: str, tensor: DeviceTensor) -> None:
        """Make a tensor an input of the next runs.

        Raises:
            RuntimeError: The engine was not built for its shape.
        """
        if not self.context.set_input_shape(name, tensor.shape):
            raise RuntimeError("the engine was not built for %s of %r" % (tensor.shape, name))
        self.context.set_tensor_address(name, tensor.buffer.address)
        self.bound[name] = tensor

    def room_for(self, name: str, buffers: Dict[str, Buffer]) -> DeviceTensor:
        """Return the tensor into which the next run will write an output.

        Raises:
            RuntimeError: The shape of the output depends on data.
        """
        shape = tuple(self.context.get_tensor_shape(name))
        if min(shape, default=0) < 0:
            raise RuntimeError("the shape of output %r depends on data: %s" % (name, shape))
        n_bytes = self.dtypes[name].itemsize
        for size in shape:
            n_bytes *= size
        if name not in buffers or buffers[name].n_bytes < n_bytes:
            buffers[name] = Buffer(self.cuda, n_bytes)
        self.context.set_tensor_address(name, buffers[name].address)
        return DeviceTensor(buffers[name], shape, self.dtypes[name])

    def keep_kernels(self) -> None:
        """Keep the kernels that the runtime has compiled, so that later processes need not."""
        if self.compiled is not None and not os.path.exists(self.kernels):
            keep(self.kernels, bytes(self.compiled.serialize()))

    def __del__(self) -> None:
        library = self.cuda.library
        for event in ("start", "end"):
            if getattr(self, event, 0):
                library.cudaEventDestroy(ctypes.c_void_p(getattr(self, event)))
        if getattr(self, "stream", 0):
            library.cudaStreamDestroy(ctypes.c_void_p(self.stream))


def open_context(trt: Any, engine: Any, kernels: str) -> Tuple[Any, Any]:
    """Return the execution context, and the cache of the kernels that it compiles, or None.

    Only TensorRT for RTX compiles. It compiles for a shape when it first sees the shape, and not in
    the background.
    """
    strategies = getattr(trt, "DynamicShapesKernelSpecializationStrategy", None)
    if strategies is None:
        return engine.create_execution_context(), None
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
    compiled = config.create_runtime_cache()
    known = read_own(kernels)
    if known and not compiled.deserialize(known):
        os.unlink(kernels)  # they were compiled for another driver
    config.set_runtime_cache(compiled)
    return engine.create_execution_context(config), compiled


def numpy_dtype(dtype: Any) -> Any:
    """Return NumPy's type for a type of TensorRT.

    Raises:
        RuntimeError: The type is not supported.
    """
    import numpy

    if dtype.name not in NUMPY_TYPES:
        raise RuntimeError("tensors of type %s are not supported; cast them" % dtype.name)
    return numpy.dtype(NUMPY_TYPES[dtype.name])
