"""What ONNX Runtime itself says of a graph: an independent witness of counted costs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

# Must be set before the import: the wheels report usage over the network otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort


def observed_shapes(path: Path, feeds: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of everything that any node puts out, observed in an unoptimised run."""
    model = onnx.load(path, load_external_data=False)
    names = [name for node in model.graph.node for name in node.output if name]
    published = {value.name for value in model.graph.output}
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in published
    )
    # Beside the graph, whose weights may lie in files there.
    exposed = path.with_suffix(".exposed.onnx")
    exposed.write_bytes(model.SerializeToString())
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(exposed, options, providers=["CPUExecutionProvider"])
    return {
        name: value.shape
        for name, value in zip(names, session.run(names, dict(feeds)), strict=True)
    }


def fused(path: Path) -> Path:
    """The graph as ONNX Runtime rewrites it, with operators of its own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_suffix(".fused.onnx"))
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return path.with_suffix(".fused.onnx")
