"""The worker for TensorRT and TensorRT for RTX: the protocol of ``worker.py``, beside this file.

The standard library, NumPy, TensorRT and the CUDA runtime's library, Python 3.8 syntax. Engines are
built here, on the device that runs them, and kept in a folder that only this user can write:
loading an engine is running native code.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import importlib
import importlib.util
import json
import os
import re
import stat
import sys
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from profilers.workers import worker as protocol

    Feeds = Dict[str, Any]
    Ranges = Dict[str, Any]
    Shape = Tuple[int, ...]


def load_beside(name: str) -> Any:
    """A module of this file's folder; the folder stays off the path, where our statistics.py is."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location("automoe_" + name, path)
    if spec is None or spec.loader is None:
        raise ImportError("%s is not beside %s" % (path, __file__))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    protocol = load_beside("worker")

RUNTIME = os.environ.get("AUTOMOE_RUNTIME", "tensorrt")
MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
TO_DEVICE, TO_HOST = 1, 2  # cudaMemcpyKind
MAJOR, MINOR, PROCESSORS = 75, 76, 16  # cudaDeviceAttr
STICKY = 700  # a kernel failed: from this cudaError on, every later call fails too
REMEDIES = {
    2: "free memory of the GPU",
    35: "the NVIDIA driver must fit the CUDA runtime, see nvidia-smi",
    100: "the NVIDIA driver finds no GPU, see nvidia-smi",
}
CACHE_BYTES = 4 << 30
RECIPE = 2  # counts the changes to how `Engines.build` builds: engines of another are not loaded
PROPERTIES_BYTES = 1 << 13  # cudaDeviceProp has a kilobyte, and grows
CUDA_LIBRARIES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")
# The wheels of NVIDIA, then the toolkit.
CUDA_FOLDERS = ("nvidia/cuda_runtime/lib", "nvidia/cu13/lib", "nvidia/cu12/lib")
CUDA_TOOLKIT = "/usr/local/cuda/lib64"


class Cuda:
    """The few functions of the CUDA runtime that are needed, each checked."""

    def __init__(self, library: Any = None) -> None:
        self.library = library or open_cuda()
        self.library.cudaGetErrorString.restype = ctypes.c_char_p
        count = ctypes.c_int()
        self.check("cudaGetDeviceCount", self.library.cudaGetDeviceCount(ctypes.byref(count)))
        if not count.value:
            raise RuntimeError("CUDA finds no GPU here; look at nvidia-smi")

    def check(self, function: str, status: int) -> None:
        """Raise what a function's status says; end the process when it can do nothing more."""
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
        """The pointer that a function makes."""
        made = ctypes.c_void_p()
        self.check(function, getattr(self.library, function)(ctypes.byref(made), *arguments))
        return int(made.value or 0)

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that only has a status."""
        self.check(function, getattr(self.library, function)(*arguments))

    def number(self, function: str, *arguments: Any) -> int:
        """The integer that a function gives."""
        given = ctypes.c_int()
        self.check(function, getattr(self.library, function)(ctypes.byref(given), *arguments))
        return given.value

    def copy(self, to: int, source: int, n_bytes: int, kind: int) -> None:
        """Copy between host and device, and wait for it."""
        if n_bytes:
            size = ctypes.c_size_t(n_bytes)
            self.call("cudaMemcpy", ctypes.c_void_p(to), ctypes.c_void_p(source), size, kind)

    def elapsed_ms(self, start: int, end: int) -> float:
        """Between two events that have happened."""
        milliseconds = ctypes.c_float()
        events = (ctypes.c_void_p(start), ctypes.c_void_p(end))
        self.call("cudaEventElapsedTime", ctypes.byref(milliseconds), *events)
        return milliseconds.value

    def gpu_name(self) -> str:
        """Such as "NVIDIA H200", whose processors are those of an H100 and whose memory is not."""
        properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
        self.call("cudaGetDeviceProperties", properties, 0)
        return properties.value.decode(errors="replace")  # the name comes first, and ends with 0

    def gpu(self) -> Dict[str, Any]:
        """What of the GPU and its software an engine depends on."""
        capability = [self.number("cudaDeviceGetAttribute", x, 0) for x in (MAJOR, MINOR)]
        return {
            "name": self.gpu_name(),
            "compute_capability": "%d.%d" % tuple(capability),
            "processors": self.number("cudaDeviceGetAttribute", PROCESSORS, 0),
            "cuda_runtime": self.number("cudaRuntimeGetVersion"),
            "cuda_driver": self.number("cudaDriverGetVersion"),
        }


class Buffer:
    """Memory of the device, freed with this object."""

    def __init__(self, cuda: Cuda, n_bytes: int) -> None:
        self.cuda = cuda
        self.n_bytes = max(n_bytes, 256)  # an empty tensor needs an address too
        self.address = cuda.handle("cudaMalloc", ctypes.c_size_t(self.n_bytes))

    def __del__(self) -> None:
        if getattr(self, "address", 0):
            self.cuda.library.cudaFree(ctypes.c_void_p(self.address))


class DeviceTensor:
    """A tensor in the device's memory."""

    def __init__(self, buffer: Buffer, shape: Shape, dtype: Any) -> None:
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype

    @classmethod
    def of(cls, cuda: Cuda, array: Any) -> DeviceTensor:
        """A copy of an array."""
        tensor = cls(Buffer(cuda, array.nbytes), tuple(array.shape), array.dtype)
        cuda.copy(tensor.buffer.address, array.ctypes.data, array.nbytes, TO_DEVICE)
        return tensor

    def numpy(self) -> Any:
        """A copy on the host."""
        import numpy

        array = numpy.empty(self.shape, self.dtype)
        self.buffer.cuda.copy(array.ctypes.data, self.buffer.address, array.nbytes, TO_HOST)
        return array


class Session:
    """An engine with one execution context on one stream."""

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
        inputs = [x for x in names if engine.get_tensor_mode(x) == trt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if name not in inputs]
        self.dtypes = {name: numpy_dtype(trt, engine.get_tensor_dtype(name)) for name in names}
        for name in names:
            if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
                raise RuntimeError(
                    "%r is a shape and must be on the host, which is not supported; make an input "
                    "a constant of the graph, and leave such an output out" % name
                )
        self.inputs = inputs

    def get_outputs(self) -> List[Any]:
        """As of an ONNX Runtime session: objects with a name."""
        return [Named(name) for name in self.outputs]

    def run(self, feeds: Feeds, buffers: Dict[str, Buffer]) -> Tuple[List[DeviceTensor], float]:
        """The outputs in the buffers, which grow where they must, and what the GPU took in ms."""
        context = self.context
        for name in self.inputs:
            tensor = feeds[name]
            if self.bound.get(name) is not tensor:  # most stay as they were in the last run
                self.bind(name, tensor)
        made = []
        for name in self.outputs:
            shape = tuple(context.get_tensor_shape(name))
            if min(shape, default=0) < 0:
                raise RuntimeError("the shape of output %r depends on data: %s" % (name, shape))
            n_bytes = self.dtypes[name].itemsize
            for size in shape:
                n_bytes *= size
            if name not in buffers or buffers[name].n_bytes < n_bytes:
                buffers[name] = Buffer(self.cuda, n_bytes)
            context.set_tensor_address(name, buffers[name].address)
            made.append(DeviceTensor(buffers[name], shape, self.dtypes[name]))
        stream = ctypes.c_void_p(self.stream)
        self.cuda.call("cudaEventRecord", ctypes.c_void_p(self.start), stream)
        if not context.execute_async_v3(self.stream):
            self.cuda.call("cudaDeviceSynchronize")  # ends the process when the GPU has failed
            raise RuntimeError("TensorRT could not run the engine; look at the worker's stderr")
        self.cuda.call("cudaEventRecord", ctypes.c_void_p(self.end), stream)
        self.cuda.call("cudaStreamSynchronize", stream)
        return made, self.cuda.elapsed_ms(self.start, self.end)

    def keep_kernels(self) -> None:
        """Spare later processes the compiling of this one, where the runtime compiles."""
        if self.compiled is not None and not os.path.exists(self.kernels):
            keep(self.kernels, bytes(self.compiled.serialize()))

    def bind(self, name: str, tensor: DeviceTensor) -> None:
        """Make a tensor an input of the next runs."""
        if not self.context.set_input_shape(name, tensor.shape):
            raise RuntimeError("the engine was not built for %s of %r" % (tensor.shape, name))
        self.context.set_tensor_address(name, tensor.buffer.address)
        self.bound[name] = tensor

    def __del__(self) -> None:
        library = self.cuda.library
        for function in ("start", "end"):
            if getattr(self, function, 0):
                library.cudaEventDestroy(ctypes.c_void_p(getattr(self, function)))
        if getattr(self, "stream", 0):
            library.cudaStreamDestroy(ctypes.c_void_p(self.stream))


class Named:
    """What has a name."""

    def __init__(self, name: str) -> None:
        self.name = name


class TensorRtCall(protocol.PreparedCall):
    """A call whose tensors stay on the device, the decoder's cache included."""

    def __init__(self, spec: Dict[str, Any], session: Session) -> None:
        # A run reads what the run before it wrote, so two sets of outputs take turns.
        self.buffers: List[Dict[str, Buffer]] = [{}, {}]
        super().__init__(spec, session)

    def tensor(self, name: str, spec: Dict[str, Any]) -> DeviceTensor:
        """In the type that the engine takes: TensorRT 8 has INT32 in the place of INT64."""
        if name not in self.session.dtypes:
            raise ValueError("the engine has no input %r; it has %s" % (name, self.session.inputs))
        array = protocol.make_array(spec)
        return DeviceTensor.of(self.session.cuda, array.astype(self.session.dtypes[name]))

    def run(self, produced: Dict[str, Feeds], see: Any = None, laps_ns: Any = None) -> Feeds:
        """See `PreparedCall`."""
        self.gpu_ms = 0.0
        return super().run(produced, see, laps_ns)

    def outputs_of(self, feeds: Feeds) -> Any:
        """The outputs of one run."""
        self.buffers.reverse()
        made, gpu_ms = self.session.run(feeds, self.buffers[0])
        self.gpu_ms += gpu_ms
        return made


class TensorRtWorkload(protocol.LoadedWorkload):
    """A workload whose graphs are engines."""

    def __init__(self, path: str, machine: TensorRtWorker) -> None:
        self.machine = machine
        super().__init__(path, 1, {})

    def prepare(
        self, document: Dict[str, Any], files: Dict[str, str], threads: int, options: Dict[str, Any]
    ) -> List[Any]:
        """See `LoadedWorkload`."""
        machine, sessions = self.machine, {}
        for name, path in files.items():
            engine, kept = machine.engines.open(path, shape_ranges(document, name))
            sessions[name] = Session(machine.trt, machine.cuda, engine, kept + ".kernels")
        return [TensorRtCall(spec, sessions[spec["graph"]]) for spec in document["calls"]]

    def keep_kernels(self) -> None:
        """See `Session`."""
        for call in self.calls:
            call.session.keep_kernels()


class TensorRtWorker(protocol.Worker):
    """One process with TensorRT."""

    def __init__(self, trt: Any = None, cuda: Any = None, folder: str = "", **sensors: Any) -> None:
        super().__init__(**sensors)
        self.given_trt = trt
        self.given_cuda = cuda
        self.folder = folder
        self.made: Optional[Tuple[Cuda, Engines]] = None

    @property
    def trt(self) -> Any:
        """TensorRT, imported when it is first needed: what is missing is an answer, no crash."""
        return self.given_trt or importlib.import_module(MODULES[RUNTIME])

    @property
    def cuda(self) -> Cuda:
        """What is needed of CUDA."""
        return self.opened()[0]

    @property
    def engines(self) -> Engines:
        """What builds and keeps engines here."""
        return self.opened()[1]

    def opened(self) -> Tuple[Cuda, Engines]:
        """CUDA and the engines."""
        if self.made is None:
            trt = self.trt
            cuda = Cuda(self.given_cuda)
            self.made = (cuda, Engines(trt, cuda.gpu(), self.folder or cache_folder()))
        return self.made

    def hello(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Versions of everything that moves a timing."""
        import numpy

        gpu = self.cuda.gpu()
        return {
            "runtime": RUNTIME,
            "runtime_version": self.trt.__version__,
            "dialect": dialect_of(self.trt),
            "providers": [],
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "pid": os.getpid(),
            "cores": len(os.sched_getaffinity(0)),
            "energy_meter": self.meter.name if self.meter else "",
            "gpu": gpu,
        }

    def unload(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Forget a workload; its kernels have been compiled by now."""
        workload: Any = self.find(request)
        workload.keep_kernels()
        del workload  # it holds the device's memory
        return dict(super().unload(request))

    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> Any:
        """What is sampled for a workload file; TensorRT has no threads of its own to set."""
        return TensorRtWorkload(path, self)


class Engines:
    """Builds engines, and keeps them for later processes on this machine."""

    def __init__(self, trt: Any, gpu: Dict[str, Any], folder: str) -> None:
        self.trt = trt
        self.folder = folder
        self.log = make_log(trt)
        self.identity = [RECIPE, dialect_of(trt), trt.__version__, sorted(gpu.items())]
        self.digests: Dict[str, str] = {}
        self.runtime = trt.Runtime(self.log)

    def open(self, path: str, ranges: Ranges) -> Tuple[Any, str]:
        """The engine of a graph, built unless it was built here before, and where it is kept."""
        file = os.path.join(self.folder, self.key(path, ranges) + ".engine")
        plan = read_own(file)
        if plan is not None:
            os.utime(file)
            engine = self.runtime.deserialize_cuda_engine(plan)
            if engine is not None:
                return engine, file  # else the driver has changed without telling: build it anew
        plan = bytes(self.build(path, ranges))
        make_room(self.folder, len(plan))
        keep(file, plan)
        engine = self.runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise RuntimeError("TensorRT cannot load what it built: %s" % self.log.last())
        return engine, file

    def key(self, path: str, ranges: Ranges) -> str:
        """Twenty digits of everything that an engine depends on."""
        with open(path, "rb") as file:
            graph = file.read()
        content = json.dumps([self.identity, ranges], sort_keys=True).encode()
        digest = hashlib.sha256(content + hashlib.sha256(graph).digest())
        end = external_end(graph)
        for weights in external_files(path, graph):
            digest.update(self.digest_of(weights, end).encode())
        return digest.hexdigest()[:20]

    def digest_of(self, path: str, end: int) -> str:
        """Of the part of a weight file that a graph uses; the blob that graphs share grows."""
        status = os.stat(path)
        known = "%s %d %d %d" % (path, end, status.st_size, status.st_mtime_ns)
        if known not in self.digests:
            digest, left = hashlib.sha256(), end or status.st_size
            with open(path, "rb") as file:
                while left > 0:
                    piece = file.read(min(left, 1 << 20))
                    if not piece:
                        break
                    digest.update(piece)
                    left -= len(piece)
            self.digests[known] = digest.hexdigest()
        return self.digests[known]

    def build(self, path: str, ranges: Ranges) -> Any:
        """The plan of an engine."""
        trt = self.trt
        self.log.errors = []  # those of the graph before are not the reason
        builder = trt.Builder(self.log)
        network = builder.create_network(network_flags(trt))
        parser = trt.OnnxParser(network, self.log)
        if not parser.parse_from_file(path):
            raise RuntimeError(
                "%s %s does not take %s: %s; automoe lint tells more"
                % (RUNTIME, trt.__version__, os.path.basename(path), first_error(parser))
            )
        config = builder.create_builder_config()
        allow_precisions(trt, network, config)
        profile = builder.create_optimization_profile()
        if give_shapes(network, profile, ranges):
            config.add_optimization_profile(profile)
        timings = self.lend_timings(config)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise RuntimeError(
                "%s %s builds no engine of %s: %s"
                % (RUNTIME, trt.__version__, os.path.basename(path), self.log.last())
            )
        if timings:
            keep(timings, bytes(config.get_timing_cache().serialize()))
        return plan

    def lend_timings(self, config: Any) -> str:
        """Give the builder what it timed before; where that is kept, empty if it times nothing."""
        if RUNTIME == "tensorrt-rtx":
            return ""  # it compiles ahead of time and tries nothing out
        name = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:20]
        file = os.path.join(self.folder, name + ".timings")
        cache = config.create_timing_cache(read_own(file) or b"")
        return file if config.set_timing_cache(cache, False) else ""


def shape_ranges(document: Dict[str, Any], graph: str) -> Ranges:
    """The least, typical and greatest shape of each input of a graph.

    They are the workload's, else those that its inputs have.
    """
    given = document.get("shape_ranges") or {}
    if graph in given:
        return dict(given[graph])
    shapes: Dict[str, List[Any]] = {}
    for call in document["calls"]:
        if call["graph"] != graph:
            continue
        unknown = sorted(list(call["from_calls"]) + list(call["carry"].values()))
        if unknown:
            raise ValueError(
                "'shape_ranges' of %r must give the shapes of %s: outputs become inputs there"
                % (graph, ", ".join(unknown))
            )
        for name, item in call["inputs"].items():
            shapes.setdefault(name, []).append(item["shape"])
        for name, items in call["step_inputs"].items():
            shapes.setdefault(name, []).extend(item["shape"] for item in items)
    return {
        name: [
            [min(sizes) for sizes in zip(*seen)],
            sorted(seen)[len(seen) // 2],
            [max(sizes) for sizes in zip(*seen)],
        ]
        for name, seen in shapes.items()
    }


def dialect_of(trt: Any) -> str:
    """8, 10, 11 or rtx."""
    is_rtx = hasattr(trt.Runtime, "get_engine_validity")
    return "rtx" if is_rtx else str(trt.__version__.split(".")[0])


def network_flags(trt: Any) -> int:
    """Types are those of the graph where that can be asked for; 8 wants to hear of the batch."""
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)


def allow_precisions(trt: Any, network: Any, config: Any) -> None:
    """Where types are not those of the graph, allow the builder those that the graph has."""
    if hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        return
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [layer.get_output(i) for layer in layers for i in range(layer.num_outputs)]
    if any(tensor.dtype == trt.DataType.HALF for tensor in tensors):
        config.set_flag(trt.BuilderFlag.FP16)
    if any(layer.type == trt.LayerType.QUANTIZE for layer in layers):
        config.set_flag(trt.BuilderFlag.INT8)


def give_shapes(network: Any, profile: Any, ranges: Ranges) -> bool:
    """Fill the optimisation profile; whether any input is open."""
    is_open = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 not in tuple(tensor.shape):
            continue
        if tensor.name not in ranges:
            raise ValueError("nothing says which shapes input %r may have" % tensor.name)
        profile.set_shape(tensor.name, *(tuple(shape) for shape in ranges[tensor.name]))
        is_open = True
    return is_open


def open_context(trt: Any, engine: Any, kernels: str) -> Tuple[Any, Any]:
    """The execution context, and what keeps the kernels that it compiles, if it does.

    TensorRT for RTX compiles: for a shape when it is first seen, not meanwhile.
    """
    strategies = getattr(trt, "DynamicShapesKernelSpecializationStrategy", None)
    if strategies is None:
        return engine.create_execution_context(), None
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
    compiled = config.create_runtime_cache()
    known = read_own(kernels)
    if known and not compiled.deserialize(known):
        os.unlink(kernels)  # of another driver
    config.set_runtime_cache(compiled)
    return engine.create_execution_context(config), compiled


def numpy_dtype(trt: Any, dtype: Any) -> Any:
    """NumPy's name for a type of TensorRT's."""
    import numpy

    names = {
        **{"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32"},
        **{"INT64": "int64", "BOOL": "bool", "UINT8": "uint8"},
    }
    if dtype.name not in names:
        raise RuntimeError("tensors of type %s are not supported; cast them" % dtype.name)
    return numpy.dtype(names[dtype.name])


def first_error(parser: Any) -> str:
    """What the parser minds first."""
    if not parser.num_errors:
        return "it gives no reason"
    error = parser.get_error(0)
    if hasattr(error, "node_operator"):  # since 9
        return "node %d, %s: %s" % (error.node(), error.node_operator(), error.desc())
    return "node %d: %s" % (error.node(), error.desc())


def make_log(trt: Any) -> Any:
    """A logger that remembers the last error; errors go to stderr."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: List[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors = (self.errors + [" ".join(msg.split())])[-10:]
                sys.stderr.write("TensorRT: %s\n" % msg)

        def last(self) -> str:
            return self.errors[-1] if self.errors else "it gives no reason"

    return Log()


def external_files(path: str, graph: bytes) -> List[str]:
    """Where a graph's weights are that it does not hold itself."""
    folder = os.path.dirname(os.path.abspath(path))
    # An entry of external_data: a key and a value, each with its length before it.
    entries = re.finditer(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])", graph)
    names = {graph[entry.end() : entry.end() + varint(entry.group(1))] for entry in entries}
    paths = [os.path.join(folder, name.decode(errors="replace")) for name in sorted(names)]
    return [path for path in paths if os.path.isfile(path)]


def varint(content: bytes) -> int:
    """A number of protobuf, seven bits a byte, the lowest first."""
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(content))


def external_end(graph: bytes) -> int:
    """Where the furthest of a graph's external tensors ends; 0 when it does not say."""
    # Entries of external_data: a key and a decimal value, fields 1 and 2, in this order.
    offsets = re.findall(rb"\x0a\x06offset\x12.([0-9]+)", graph, re.DOTALL)
    lengths = re.findall(rb"\x0a\x06length\x12.([0-9]+)", graph, re.DOTALL)
    if not len(offsets) == len(lengths) == len(re.findall(rb"\x0a\x08location\x12", graph)):
        return 0
    return max([int(o) + int(n) for o, n in zip(offsets, lengths)], default=0)


def cache_folder() -> str:
    """Where engines are kept; nobody else may write there."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(caches, "automoe", "engines")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RuntimeError(
            "%s must be a folder of yours that nobody else can read or write: engines are native "
            "code; chmod 700 it, or remove it" % folder
        )
    return folder


def read_own(path: str) -> Any:
    """The content of a file that this user wrote and nobody else could; None without one."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(file)
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            return None
        return opened.read()


def write_own(path: str, content: bytes) -> None:
    """Write a file that only this user can read, whole or not at all."""
    file, partial = tempfile.mkstemp(dir=os.path.dirname(path))  # with mode 600
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def keep(path: str, content: bytes) -> None:
    """Write what spares later processes work; a disk that is full costs no measurement."""
    try:
        write_own(path, content)
    except OSError as error:
        sys.stderr.write("%s cannot be kept: %s\n" % (path, error))


def make_room(folder: str, n_bytes: int) -> None:
    """Remove the engines that were not used for longest until there is room for another."""
    engines = glob.glob(os.path.join(glob.escape(folder), "*.engine"))
    kept = sorted((os.stat(path).st_mtime, os.path.getsize(path), path) for path in engines)
    total = n_bytes + sum(size for _, size, _ in kept)
    for _, size, path in kept:
        if total <= CACHE_BYTES:
            break
        for file in (path, path + ".kernels"):
            if os.path.exists(file):
                os.unlink(file)
        total -= size


def open_cuda() -> Any:
    """The CUDA runtime's library, from wherever it is installed."""
    folders = [os.path.join(path, folder) for path in sys.path for folder in CUDA_FOLDERS]
    places = [""] + [folder for folder in folders + [CUDA_TOOLKIT] if os.path.isdir(folder)]
    for name in CUDA_LIBRARIES:
        for place in places:
            try:
                return ctypes.CDLL(os.path.join(place, name))
            except OSError:
                pass
    raise RuntimeError(
        "libcudart is not found; install the CUDA runtime that %s was built for (on a Jetson "
        "JetPack's; elsewhere pip install nvidia-cuda-runtime for CUDA 13, -cu12 for 12)" % RUNTIME
    )


def main() -> None:
    """Answer requests until told to quit or until stdin ends."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    gpu = protocol.find_gpu()
    protocol.main(TensorRtWorker(meter=protocol.find_meter(gpu), gpu=gpu))


if __name__ == "__main__":
    main()
