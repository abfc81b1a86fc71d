"""The worker of ONNX Runtime opens sessions in which one provider runs everything but shapes."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Sequence

from profilers.workers.program.loaded_workload import LoadedWorkload, PreparedCall, read_document
from profilers.workers.program.serving import CPU, CUDA, instruments, provider, serve
from profilers.workers.program.tensors import make_array
from profilers.workers.program.worker import Worker

Feeds = Dict[str, Any]


os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported

# ONNX Runtime keeps these on the CPU, because it needs the values of shapes there.
SHAPE_OPERATORS = frozenset(
    (
        *("Add", "Cast", "Concat", "ConstantOfShape", "Div", "Gather", "Identity", "Mod", "Mul"),
        *("Range", "Shape", "Size", "Slice", "Squeeze", "Sub", "Unsqueeze"),
    )
)


class OnnxRuntimeWorker(Worker):
    """A worker process with ONNX Runtime.

    Args:
        provider: The only execution provider that may run a model.
        instruments: The `meter` and the `gpu`; see `Worker`.
    """

    def __init__(self, provider: str = CPU, **instruments: Any) -> None:
        super().__init__(**instruments)
        self.provider = provider
        self.on_gpu = provider != CPU

    def describe_runtime(self) -> Dict[str, Any]:
        """See `Worker`."""
        import onnxruntime

        on = "" if self.provider == CPU else "-" + memory_of(self.provider)
        return {
            "runtime": "onnxruntime" + on,
            "runtime_version": onnxruntime.__version__,
            "providers": onnxruntime.get_available_providers(),
        }

    def open_workload(self, path: str, threads: int, options: Dict[str, Any]) -> LoadedWorkload:
        """See `Worker`."""
        document, files = read_document(path)
        settings: Dict[str, Any] = {"threads": threads, "options": options}
        sessions = {x: open_session(file, self.provider, **settings) for x, file in files.items()}
        calls = [
            OnnxRuntimeCall(spec, sessions[spec["graph"]], self.provider)
            for spec in document["calls"]
        ]
        return LoadedWorkload(calls)


class OnnxRuntimeCall(PreparedCall):
    """A call whose graph is a session of ONNX Runtime."""

    def __init__(self, spec: Dict[str, Any], session: Any, provider: str) -> None:
        self.session = session
        self.memory = memory_of(provider)
        # ONNX Runtime 1.32 crashes when a bound optional output is empty.
        self.is_bound = not any(x.type.startswith("optional(") for x in session.get_outputs())
        super().__init__(spec, [output.name for output in session.get_outputs()])

    def tensor(self, name: str, spec: Dict[str, Any]) -> Any:
        """See `PreparedCall`."""
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_numpy(make_array(spec), self.memory, 0)

    def outputs_of(self, feeds: Feeds) -> Sequence[Any]:
        """See `PreparedCall`."""
        if not self.is_bound:
            outputs: List[Any] = self.session.run_with_ort_values(self.outputs, feeds)
            return outputs
        # Of a processor, too: `run_with_ort_values` takes up to 30 us longer to return its outputs.
        binding = self.session.io_binding()
        for name, value in feeds.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, self.memory)
        self.session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        bound: List[Any] = binding.get_outputs()
        return bound


def memory_of(provider: str) -> str:
    """Return where the tensors of a provider lie: "cuda" or "cpu"."""
    return "cuda" if provider == CUDA else "cpu"


def open_session(path: str, provider: str, *, threads: int, options: Dict[str, Any]) -> Any:
    """Return a session in which the provider computes everything except, at most, shapes.

    ONNX Runtime moves nodes to the CPU without an error. It also runs the whole session there when
    it cannot use the provider. Times of the CPU would then be taken for those of the GPU.

    Raises:
        RuntimeError: The provider cannot be used, or other nodes than shapes are on the CPU.
    """
    import onnxruntime

    is_strict = provider != CPU
    settings: Dict[str, Any] = {"threads": threads, "options": options}
    try:
        session = make_session(path, provider, is_strict=is_strict, **settings)
    except Exception as error:  # onnxruntime has exception classes of its own
        if not is_strict or "CPU EP" not in str(error):
            raise
        session = make_session(path, provider, is_strict=False, **settings)
        is_strict = False
    if session.get_providers()[0] != provider:
        raise RuntimeError(
            "onnxruntime %s cannot use %s here and would run on %s; install a build that has it, "
            "and its driver" % (onnxruntime.__version__, provider, session.get_providers()[0])
        )
    if provider != CPU and not is_strict:
        require_shapes_only(session, provider, onnxruntime.__version__)
    return session


def make_session(
    path: str, provider: str, *, threads: int, options: Dict[str, Any], is_strict: bool
) -> Any:
    """Return a session with an explicit number of threads.

    The threads spin only when each has a core. A strict session is refused when any node would be
    on the CPU.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4 if is_strict else 3
    spinning = options.get("allow_spinning", threads <= len(os.sched_getaffinity(0)))
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    if is_strict:
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    elif provider != CPU:
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return onnxruntime.InferenceSession(path, settings, providers=[provider])


def require_shapes_only(session: Any, provider: str, version: str) -> None:
    """Raise an error when a session has more on the CPU than shapes, or cannot say what is there.

    Raises:
        RuntimeError: Other nodes are on the CPU, or this version does not say which ones are.
    """
    assignment_of = getattr(session, "get_provider_graph_assignment_info", None)
    if assignment_of is None:
        raise RuntimeError(
            "onnxruntime %s keeps nodes on the CPU and cannot say which; install a newer one, or "
            "measure with --runtime tensorrt" % version
        )
    placed: Dict[str, List[str]] = {}
    for part in assignment_of():
        placed.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
    there = sorted(set(placed.get(CPU, [])))
    others = [name for name in there if name not in SHAPE_OPERATORS or provider not in placed]
    if others:
        raise RuntimeError(
            "onnxruntime %s keeps %s on the CPU, which would count as time of %s; measure with "
            "--runtime tensorrt, or replace these operators"
            % (version, ", ".join(others), provider)
        )
    sys.stderr.write("These operators run on the CPU, for shapes: %s\n" % ", ".join(there))


def main() -> None:
    """Answer requests with ONNX Runtime until one says quit or stdin ends."""
    serve(lambda: OnnxRuntimeWorker(provider(), **instruments()))
