"""The worker of ONNX Runtime: sessions in which one provider computes everything but shapes."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Sequence

from profilers.workers.program.serving import CPU, CUDA, instruments, provider, serve
from profilers.workers.program.tensors import make_array
from profilers.workers.program.worker import Worker
from profilers.workers.program.workload import LoadedWorkload, PreparedCall, read_document

Feeds = Dict[str, Any]


os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime can be imported

# What ONNX Runtime leaves on the CPU by choice: it computes shapes, whose values are needed there.
SHAPE_OPERATORS = frozenset(
    (
        *("Add", "Cast", "Concat", "ConstantOfShape", "Div", "Gather", "Identity", "Mod", "Mul"),
        *("Range", "Shape", "Size", "Slice", "Squeeze", "Sub", "Unsqueeze"),
    )
)


class OnnxRuntimeWorker(Worker):
    """One process with ONNX Runtime.

    Args:
        provider: The only execution provider that may run a model.
        instruments: `meter` and `gpu`; see `Worker`.
    """

    def __init__(self, provider: str = CPU, **instruments: Any) -> None:
        super().__init__(**instruments)
        self.provider = provider

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
        self.is_bound = provider != CPU
        super().__init__(spec, [output.name for output in session.get_outputs()])

    def tensor(self, name: str, spec: Dict[str, Any]) -> Any:
        """See `PreparedCall`."""
        return make_tensor(spec, self.memory)

    def outputs_of(self, feeds: Feeds) -> Sequence[Any]:
        """See `PreparedCall`."""
        if not self.is_bound:
            outputs: List[Any] = self.session.run_with_ort_values(self.outputs, feeds)
            return outputs
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
    """Where tensors lie that a provider computes with: "cuda" or "cpu"."""
    return "cuda" if provider == CUDA else "cpu"


def make_tensor(spec: Dict[str, Any], memory: str = "cpu") -> Any:
    """ONNX Runtime's tensor for one entry of a workload file."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(make_array(spec), memory, 0)


def open_session(path: str, provider: str, *, threads: int, options: Dict[str, Any]) -> Any:
    """A session in which the provider computes everything but, at most, shapes.

    ONNX Runtime moves nodes to the CPU without an error, and a session as a whole where it cannot
    use the provider: times of the CPU would pass for the GPU's.
    """
    import onnxruntime

    is_strict = provider != CPU
    settings: Dict[str, Any] = {"threads": threads, "options": options}
    try:
        session = make_session(path, provider, is_strict=is_strict, **settings)
    except Exception as error:  # of a class of onnxruntime's own
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
    """A session with an explicit number of threads; spinning only when all have a core.

    A strict one is refused when any node would be on the CPU.
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
    """Refuse a session that has more on the CPU than shapes, or that cannot tell."""
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    if tell is None:
        raise RuntimeError(
            "onnxruntime %s keeps nodes on the CPU and cannot tell which; install a newer one, or "
            "measure with --runtime tensorrt" % version
        )
    placed: Dict[str, List[str]] = {}
    for part in tell():
        placed.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
    there = sorted(set(placed.get(CPU, [])))
    others = [name for name in there if name not in SHAPE_OPERATORS or provider not in placed]
    if others:
        raise RuntimeError(
            "onnxruntime %s keeps %s on the CPU, which would pass for time of %s; measure with "
            "--runtime tensorrt, or replace these operators"
            % (version, ", ".join(others), provider)
        )
    sys.stderr.write("On the CPU, for shapes: %s\n" % ", ".join(there))


def main() -> None:
    """Answer requests with ONNX Runtime until told to quit or until stdin ends."""
    serve(lambda: OnnxRuntimeWorker(provider(), **instruments()))
