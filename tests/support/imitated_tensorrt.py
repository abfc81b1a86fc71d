"""An imitation of TensorRT and of the CUDA runtime, as far as the worker touches them, on the CPU.

Only names that ``tensorrt_api.json`` lists for a version can be touched. Device memory is memory
of this process, and an engine is the graph in ONNX Runtime, so that what the worker hands to and
fro can be compared with what ONNX Runtime's own worker computes.
"""

import ctypes
import json
import os
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx

API = Path(__file__).with_name("tensorrt_api.json")
VERSIONS: Mapping[str, Mapping[str, list[str]]] = json.loads(API.read_text())["versions"]
RUN_MS = 1.5  # what each run takes by the clock of the imitated GPU
_TYPES = {1: "FLOAT", 10: "HALF", 3: "INT8", 6: "INT32", 7: "INT64", 9: "BOOL", 2: "UINT8"}
_INSUFFICIENT_DRIVER = 35


def open_session(graph: str) -> Any:
    """A session on one thread; a board has this file, and none of ours."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class ImitatedCuda:
    """libcudart. `status` is what every function answers."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.clock_ms = 0.0
        self.allocated: dict[int, Any] = {}
        self.n_allocations = 0
        self.cudaGetErrorString = _ErrorString()
        self._events: dict[int, float] = {}
        self._n_handles = 0

    def cudaGetDeviceCount(self, count: Any) -> int:
        count._obj.value = 1
        return self.status

    def cudaDeviceGetAttribute(self, value: Any, attribute: int, device: int) -> int:
        value._obj.value = {75: 8, 76: 7, 16: 16}[attribute]
        return self.status

    def cudaGetDeviceProperties(self, properties: Any, device: int) -> int:
        assert len(properties) >= 1032  # what CUDA 12 writes
        ctypes.memmove(properties, b"Imitated\0", 9)
        return self.status

    def cudaRuntimeGetVersion(self, version: Any) -> int:
        version._obj.value = 12060
        return self.status

    def cudaDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12060
        return self.status

    def cudaMalloc(self, pointer: Any, size: Any) -> int:
        memory = ctypes.create_string_buffer(b"\xff" * size.value, size.value)
        pointer._obj.value = ctypes.addressof(memory)
        self.allocated[ctypes.addressof(memory)] = memory
        self.n_allocations += 1
        return self.status

    def cudaFree(self, pointer: Any) -> int:
        del self.allocated[pointer.value]
        return self.status

    def cudaMemcpy(self, to: Any, source: Any, size: Any, kind: int) -> int:
        on_device = to if kind == 1 else source
        assert kind in (1, 2)
        assert size.value <= len(self.allocated[on_device.value])
        ctypes.memmove(to, source, size.value)
        return self.status

    def cudaStreamCreate(self, made: Any) -> int:
        return self._handle(made)

    def cudaEventCreate(self, made: Any) -> int:
        return self._handle(made)

    def cudaStreamDestroy(self, handle: Any) -> int:
        return self.status

    def cudaEventDestroy(self, handle: Any) -> int:
        return self.status

    def cudaEventRecord(self, event: Any, stream: Any) -> int:
        self._events[event.value] = self.clock_ms
        return self.status

    def cudaStreamSynchronize(self, stream: Any) -> int:
        return self.status

    def cudaDeviceSynchronize(self) -> int:
        return self.status

    def cudaEventElapsedTime(self, elapsed: Any, start: Any, end: Any) -> int:
        elapsed._obj.value = self._events[end.value] - self._events[start.value]
        return self.status

    def _handle(self, made: Any) -> int:
        self._n_handles += 1
        made._obj.value = self._n_handles
        return self.status


class _ErrorString:
    restype: Any = None

    def __call__(self, status: int) -> bytes:
        driver = b"CUDA driver version is insufficient for CUDA runtime version"
        return driver if status == _INSUFFICIENT_DRIVER else b"unknown error"


class ImitatedTensorRt(SimpleNamespace):
    """The module. `built` are the graphs of which engines were built, by name, in order."""


def imitated_tensorrt(version: str, cuda: ImitatedCuda) -> ImitatedTensorRt:
    """The module of a version, a key of ``VERSIONS``."""
    listed = VERSIONS[version]
    name, _, number = version.partition(" ")
    module = ImitatedTensorRt(__version__=number, built=[], flags_set=[])
    module.timings_given, module.kernels_given = [], []
    module._is_rtx, module._cuda = name == "tensorrt_rtx", cuda
    module._has_int64 = "INT64" in listed["DataType"]
    for kind in (
        *("NetworkDefinitionCreationFlag", "BuilderFlag", "DataType", "LayerType"),
        *("TensorIOMode", "TensorLocation", "DynamicShapesKernelSpecializationStrategy"),
    ):
        if kind in listed:
            setattr(module, kind, IntEnum(kind, listed[kind], start=0))
    module.ILogger = _only(listed, "ILogger", _Logger)
    for kind, implementation in (
        ("Builder", _Builder),
        ("OnnxParser", _Parser),
        ("Runtime", _RtxRuntime if module._is_rtx else _Runtime),
    ):
        setattr(module, kind, _of(module, listed, kind, implementation))
    module._make = lambda kind, *arguments: _of(module, listed, kind, _MADE[kind])(*arguments)
    return module


def _only(listed: Mapping[str, list[str]], kind: str, implementation: type) -> type:
    """A class that has none of the implementation's public names but those listed."""
    hidden = {
        name: property(_refuse(kind, name))
        for base in implementation.__mro__[:-1]
        for name in vars(base)
        if not name.startswith("_") and name not in listed.get(kind, ())
    }
    return type(kind, (implementation,), hidden)


def _refuse(kind: str, name: str) -> Callable[[Any], Any]:
    def get(self: Any) -> Any:
        raise AttributeError(f"{kind} of this version has no {name}")

    return get


def _of(
    module: ImitatedTensorRt, listed: Mapping[str, list[str]], kind: str, implementation: type
) -> Any:
    bound = _only(listed, kind, implementation)
    bound._trt = module  # type: ignore[attr-defined]
    return bound


class _Logger:
    ERROR, INTERNAL_ERROR = 1, 0


class _Named:
    def __init__(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        self._name, self._shape, self._dtype = name, shape, dtype

    @property
    def name(self) -> str:
        return self._name

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> Any:
        return self._dtype


class _Layer:
    def __init__(self, kind: Any, outputs: list[Any]) -> None:
        self._kind, self._outputs = kind, outputs

    @property
    def type(self) -> Any:
        return self._kind

    @property
    def num_outputs(self) -> int:
        return len(self._outputs)

    def get_output(self, index: int) -> Any:
        return self._outputs[index]


class _Network:
    def __init__(self, is_typed: bool) -> None:
        self._is_typed = is_typed
        self._path = ""
        self._inputs: list[Any] = []
        self._layers: list[Any] = []

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    @property
    def num_layers(self) -> int:
        return len(self._layers)

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    def get_layer(self, index: int) -> Any:
        return self._layers[index]


class _Error:
    def __init__(self, index: int, operator: str) -> None:
        self._index, self._operator = index, operator

    def node(self) -> int:
        return self._index

    def node_operator(self) -> str:
        return self._operator

    def desc(self) -> str:
        return "no importer for it"


class _Parser:
    _trt: ImitatedTensorRt

    def __init__(self, network: _Network, log: Any) -> None:
        assert isinstance(log, self._trt.ILogger)
        self._network = network
        self._errors: list[Any] = []

    def parse_from_file(self, path: str) -> bool:
        model = onnx.load(path, load_external_data=False)
        graph = onnx.shape_inference.infer_shapes(model).graph
        self._errors = [
            self._trt._make("ParserError", i, node.op_type)
            for i, node in enumerate(graph.node)
            if node.op_type == "NonZero"
        ]
        self._network._path = path
        self._network._inputs = [self._tensor(value) for value in graph.input]
        known = {value.name: value for value in (*graph.value_info, *graph.output)}
        self._network._layers = [
            self._trt._make(
                "ILayer", self._kind(node), [self._tensor(known[x]) for x in node.output]
            )
            for node in graph.node
            if not self._errors
        ]
        return not self._errors

    def _kind(self, node: Any) -> Any:
        return self._trt.LayerType.QUANTIZE if node.op_type == "QuantizeLinear" else None

    def _tensor(self, value: Any) -> Any:
        shape = tuple(
            d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim
        )
        dtype = _dtype(self._trt, value.type.tensor_type.elem_type)
        return self._trt._make("ITensor", value.name, shape, dtype)

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        return self._errors[index]


class _Profile:
    def __init__(self) -> None:
        self._shapes: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, name: str, *shapes: Sequence[int]) -> None:
        assert len(shapes) == 3
        assert all(isinstance(size, int) for shape in shapes for size in shape)
        self._shapes[name] = [tuple(shape) for shape in shapes]


class _Timings:
    def __init__(self, given: bytes) -> None:
        self._given = given

    def serialize(self) -> bytes:
        return self._given + b"timed;"


class _Config:
    _trt: ImitatedTensorRt

    def __init__(self) -> None:
        self._profiles: list[_Profile] = []
        self._flags: list[Any] = []
        self._timings: Any = None

    def add_optimization_profile(self, profile: _Profile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_flag(self, flag: Any) -> None:
        self._flags.append(flag)
        self._trt.flags_set.append(flag.name)

    def create_timing_cache(self, content: bytes) -> Any:
        self._trt.timings_given.append(content)
        return self._trt._make("ITimingCache", content)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self._timings = cache
        return True

    def get_timing_cache(self) -> Any:
        return self._timings


class _Builder:
    _trt: ImitatedTensorRt

    def __init__(self, log: Any) -> None:
        self._log = log

    def create_network(self, flags: int) -> Any:
        known = self._trt.NetworkDefinitionCreationFlag
        assert flags in [1 << int(flag) for flag in known]
        is_typed = hasattr(known, "STRONGLY_TYPED") and flags == 1 << int(known.STRONGLY_TYPED)
        return self._trt._make("INetworkDefinition", is_typed)

    def create_builder_config(self) -> Any:
        return self._trt._make("IBuilderConfig")

    def create_optimization_profile(self) -> Any:
        return self._trt._make("IOptimizationProfile")

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        made = [tensor for layer in network._layers for tensor in layer._outputs]
        tensors = [*network._inputs, *made]
        halves = any(tensor.dtype.name == "HALF" for tensor in tensors)
        flags = [flag.name for flag in config._flags]
        if halves and not network._is_typed and "FP16" not in flags:
            self._log.log(1, "a network with halves needs the flag kFP16")
            return None
        shapes = config._profiles[0]._shapes if config._profiles else {}
        missing = [t.name for t in network._inputs if -1 in t.shape and t.name not in shapes]
        if missing:
            self._log.log(1, f"API Usage Error: no optimization profile for {missing}")
            return None
        self._trt.built.append(Path(network._path).name)
        return json.dumps({"graph": network._path, "shapes": shapes}).encode()


class _Runtime:
    _trt: ImitatedTensorRt

    def __init__(self, log: Any) -> None:
        self._log = log

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        try:
            content = json.loads(plan)
        except ValueError:
            self._log.log(1, "Serialization assertion failed")
            return None
        return self._trt._make("ICudaEngine", content)


class _RtxRuntime(_Runtime):
    def get_engine_validity(self, plan: bytes) -> None:
        raise NotImplementedError


class _RuntimeCache:
    def __init__(self) -> None:
        self._content = b""

    def deserialize(self, content: bytes) -> bool:
        self._content = content
        return content.startswith(b"compiled")

    def serialize(self) -> bytes:
        return b"compiled"


class _RuntimeConfig:
    _trt: ImitatedTensorRt

    def __init__(self) -> None:
        self._strategy: Any = None
        self._cache: Any = None

    def create_runtime_cache(self) -> Any:
        return self._trt._make("IRuntimeCache")

    def set_runtime_cache(self, cache: Any) -> bool:
        self._trt.kernels_given.append(cache._content)
        self._cache = cache
        return True

    @property
    def dynamic_shapes_kernel_specialization_strategy(self) -> Any:
        return self._strategy

    @dynamic_shapes_kernel_specialization_strategy.setter
    def dynamic_shapes_kernel_specialization_strategy(self, strategy: Any) -> None:
        self._strategy = strategy


class _Engine:
    _trt: ImitatedTensorRt

    def __init__(self, content: Mapping[str, Any]) -> None:
        graph = onnx.load(content["graph"], load_external_data=False).graph
        self._session = open_session(content["graph"])
        self._shapes = content["shapes"]
        self._inputs = [value.name for value in graph.input]
        self._types = {
            value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)
        }

    @property
    def num_io_tensors(self) -> int:
        return len(self._types)

    def get_tensor_name(self, index: int) -> str:
        return list(self._types)[index]

    def get_tensor_mode(self, name: str) -> Any:
        mode = self._trt.TensorIOMode
        return mode.INPUT if name in self._inputs else mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return _dtype(self._trt, self._types[name])

    def get_tensor_location(self, name: str) -> Any:
        return self._trt.TensorLocation.DEVICE

    def create_runtime_config(self) -> Any:
        return self._trt._make("IRuntimeConfig")

    def create_execution_context(self, config: Any = None) -> Any:
        if self._trt._is_rtx:
            assert config.dynamic_shapes_kernel_specialization_strategy.name == "EAGER"
            assert config._cache is not None
        return self._trt._make("IExecutionContext", self)


class _Context:
    _trt: ImitatedTensorRt

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._known: dict[str, dict[str, tuple[int, ...]]] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if name in self._engine._shapes:
            least, _, most = self._engine._shapes[name]
            if not all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True)):
                return False
        self._shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address in self._trt._cuda.allocated
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._shapes:
            return self._shapes[name]
        key = str(sorted(self._shapes.items()))
        if key not in self._known:
            feeds = {x: np.zeros(self._shapes[x], self._numpy(x)) for x in self._engine._inputs}
            self._known[key] = {k: v.shape for k, v in self._run(feeds).items()}
        return self._known[key][name]

    def execute_async_v3(self, stream: int) -> bool:
        assert stream
        feeds = {}
        for name in self._engine._inputs:
            dtype = np.dtype(self._numpy(name, as_bound=True))
            n_bytes = int(np.prod(self._shapes[name], dtype=int)) * dtype.itemsize
            memory = self._trt._cuda.allocated[self._addresses[name]]
            assert n_bytes <= len(memory)
            array = np.frombuffer(memory.raw[:n_bytes], dtype).reshape(self._shapes[name])
            feeds[name] = array.astype(self._numpy(name))
        read = {self._addresses[name] for name in self._engine._inputs}
        for name, value in self._run(feeds).items():
            written = np.ascontiguousarray(value.astype(self._numpy(name, as_bound=True)))
            memory = self._trt._cuda.allocated[self._addresses[name]]
            assert self._addresses[name] not in read  # an engine may write before it has read all
            assert written.nbytes <= len(memory)
            ctypes.memmove(memory, written.ctypes.data, written.nbytes)
        self._trt._cuda.clock_ms += RUN_MS
        return True

    def _run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        session = self._engine._session
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))

    def _numpy(self, name: str, *, as_bound: bool = False) -> Any:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(self._engine._types[name])
        is_narrowed = as_bound and not self._trt._has_int64 and dtype == np.int64
        return np.int32 if is_narrowed else dtype


def _dtype(trt: ImitatedTensorRt, element_type: int) -> Any:
    name = _TYPES[element_type]
    return trt.DataType["INT32" if name == "INT64" and not trt._has_int64 else name]


_MADE: Mapping[str, type] = {
    "ICudaEngine": _Engine,
    "IExecutionContext": _Context,
    "IBuilderConfig": _Config,
    "IOptimizationProfile": _Profile,
    "INetworkDefinition": _Network,
    "IRuntimeCache": _RuntimeCache,
    "IRuntimeConfig": _RuntimeConfig,
    "ITensor": _Named,
    "ILayer": _Layer,
    "ITimingCache": _Timings,
    "ParserError": _Error,
}
