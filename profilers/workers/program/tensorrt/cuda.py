"""This module calls the CUDA runtime through ctypes and holds memory of the GPU."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, Dict, Tuple

Shape = Tuple[int, ...]

TO_DEVICE, TO_HOST = 1, 2  # cudaMemcpyKind
MAJOR, MINOR, PROCESSORS = 75, 76, 16  # cudaDeviceAttr
STICKY = 700  # after these errors (cudaError 700 and above) every later call fails too
REMEDIES = {
    2: "free memory of the GPU",
    35: "the NVIDIA driver must fit the CUDA runtime, see nvidia-smi",
    100: "the NVIDIA driver finds no GPU, see nvidia-smi",
}
PROPERTIES_BYTES = 1 << 13  # cudaDeviceProp takes a kilobyte, and more with each release
LIBRARIES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
# The wheels of NVIDIA, then the toolkit.
FOLDERS = ("nvidia/cuda_runtime/lib", "nvidia/cu13/lib", "nvidia/cu12/lib")
TOOLKIT = "/usr/local/cuda/lib64"


class Cuda:
    """The functions of the CUDA runtime that are needed. The status of each call is checked.

    Args:
        library: The CUDA runtime's library, as `open_cuda` returns it.

    Raises:
        RuntimeError: There is no GPU, or the driver does not fit.
    """

    def __init__(self, library: Any) -> None:
        self.library = library
        self.library.cudaGetErrorString.restype = ctypes.c_char_p
        if not self.number("cudaGetDeviceCount"):
            raise RuntimeError("CUDA finds no GPU here; look at nvidia-smi")

    def check(self, function: str, status: int) -> None:
        """Raise an error when a function has failed. End the process when the GPU has failed."""
        if not status:
            return
        text = self.library.cudaGetErrorString(status).decode(errors="replace")
        remedy = REMEDIES.get(status, "see nvidia-smi")
        message = "%s failed: %s (cudaError %d); %s" % (function, text, status, remedy)
        if status >= STICKY:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()
            os._exit(1)
        raise RuntimeError(message)

    def handle(self, function: str, *arguments: Any) -> int:
        """Return the pointer that a function creates."""
        made = ctypes.c_void_p()
        self.call(function, ctypes.byref(made), *arguments)
        return int(made.value or 0)

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that returns only a status."""
        self.check(function, getattr(self.library, function)(*arguments))

    def number(self, function: str, *arguments: Any) -> int:
        """Return the integer that a function gives."""
        given = ctypes.c_int()
        self.call(function, ctypes.byref(given), *arguments)
        return given.value

    def copy(self, to: int, source: int, n_bytes: int, kind: int) -> None:
        """Copy bytes between the CPU's memory and the GPU's, and wait for the end."""
        if n_bytes:
            size = ctypes.c_size_t(n_bytes)
            self.call("cudaMemcpy", ctypes.c_void_p(to), ctypes.c_void_p(source), size, kind)

    def elapsed_ms(self, start: int, end: int) -> float:
        """Return the milliseconds between two events that have happened."""
        milliseconds = ctypes.c_float()
        events = (ctypes.c_void_p(start), ctypes.c_void_p(end))
        self.call("cudaEventElapsedTime", ctypes.byref(milliseconds), *events)
        return milliseconds.value

    def gpu_name(self) -> str:
        """Return the name of the GPU, such as "NVIDIA H200".

        An H100 has the same processors but another memory, so only the name tells the two apart.
        """
        properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
        self.call("cudaGetDeviceProperties", properties, 0)
        return properties.value.decode(
            errors="replace"
        )  # the name is the first field and ends with a zero byte

    def gpu(self) -> Dict[str, Any]:
        """Return the facts of the GPU and its software that an engine depends on."""
        capability = [self.number("cudaDeviceGetAttribute", x, 0) for x in (MAJOR, MINOR)]
        return {
            "name": self.gpu_name(),
            "compute_capability": "%d.%d" % tuple(capability),
            "processors": self.number("cudaDeviceGetAttribute", PROCESSORS, 0),
            "cuda_runtime": self.number("cudaRuntimeGetVersion"),
            "cuda_driver": self.number("cudaDriverGetVersion"),
        }


class Buffer:
    """Memory of the GPU, which is freed with this object."""

    def __init__(self, cuda: Cuda, n_bytes: int) -> None:
        self.cuda = cuda
        self.n_bytes = max(n_bytes, 256)  # an empty tensor needs an address too
        self.address = cuda.handle("cudaMalloc", ctypes.c_size_t(self.n_bytes))

    def __del__(self) -> None:
        if getattr(self, "address", 0):
            self.cuda.library.cudaFree(ctypes.c_void_p(self.address))


class DeviceTensor:
    """A tensor in the GPU's memory."""

    def __init__(self, buffer: Buffer, shape: Shape, dtype: Any) -> None:
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype

    @classmethod
    def of(cls, cuda: Cuda, array: Any) -> DeviceTensor:
        """Return a copy of an array in the GPU's memory."""
        tensor = cls(Buffer(cuda, array.nbytes), tuple(array.shape), array.dtype)
        cuda.copy(tensor.buffer.address, array.ctypes.data, array.nbytes, TO_DEVICE)
        return tensor

    def numpy(self) -> Any:
        """Return a copy in the CPU's memory."""
        import numpy

        array = numpy.empty(self.shape, self.dtype)
        self.buffer.cuda.copy(array.ctypes.data, self.buffer.address, array.nbytes, TO_HOST)
        return array


def open_cuda(runtime: str) -> Any:
    """Return the library of the CUDA runtime, from wherever it is installed.

    Args:
        runtime: The name of the runtime that needs it, for the message.

    Raises:
        RuntimeError: The library is not found.
    """
    folders = [os.path.join(path, folder) for path in sys.path for folder in FOLDERS]
    places = [""] + [folder for folder in folders + [TOOLKIT] if os.path.isdir(folder)]
    for name in LIBRARIES:
        for place in places:
            try:
                return ctypes.CDLL(os.path.join(place, name))
            except OSError:
                pass
    raise RuntimeError(
        "libcudart is not found; install the CUDA runtime that %s was built for (on a Jetson "
        "JetPack's; elsewhere pip install nvidia-cuda-runtime for CUDA 13, -cu12 for 12)" % runtime
    )
