"""This module hides how TensorRT 8, 10, 11 and TensorRT for RTX differ in building an engine."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

Ranges = Dict[str, Any]


def dialect_of(trt: Any) -> str:
    """Return the dialect of a TensorRT module: "8", "10", "11" or "rtx"."""
    is_rtx = hasattr(trt.Runtime, "get_engine_validity")
    return "rtx" if is_rtx else str(trt.__version__.split(".")[0])


def name_of(trt: Any) -> str:
    """Return the runtime with its version, such as "tensorrt 10.3.0"."""
    name = "tensorrt-rtx" if dialect_of(trt) == "rtx" else "tensorrt"
    return "%s %s" % (name, trt.__version__)


def parse_network(trt: Any, log: Any, builder: Any, path: str) -> Any:
    """Return the network that TensorRT's parser makes of a graph.

    Raises:
        RuntimeError: The parser refuses the graph.
    """
    network = builder.create_network(network_flags(trt))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(path):
        raise RuntimeError(
            "%s refuses %s: %s; automoe lint says more"
            % (name_of(trt), os.path.basename(path), first_error(parser))
        )
    return network


def network_flags(trt: Any) -> int:
    """Return the flags of a network. Types are those of the graph where TensorRT offers it.

    TensorRT 8 must be told that the batch is a dimension of its own.
    """
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)


def allow_precisions(trt: Any, network: Any, config: Any) -> None:
    """Allow the builder the types that a graph has, where TensorRT does not take them from it."""
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
    """Fill the optimisation profile. Return whether the shape of any input is open.

    Raises:
        ValueError: An input has an open shape and there are no ranges for it.
    """
    is_open = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 not in tuple(tensor.shape):
            continue
        if tensor.name not in ranges:
            raise ValueError("the shapes that input %r may have are not given" % tensor.name)
        profile.set_shape(tensor.name, *(tuple(shape) for shape in ranges[tensor.name]))
        is_open = True
    return is_open


def first_error(parser: Any) -> str:
    """Return the parser's first error as one line, with the node."""
    if not parser.num_errors:
        return "it gives no reason"
    error = parser.get_error(0)
    if hasattr(error, "node_operator"):  # since TensorRT 9
        return "node %d, %s: %s" % (error.node(), error.node_operator(), error.desc())
    return "node %d: %s" % (error.node(), error.desc())


def make_log(trt: Any) -> Any:
    """Return a logger that remembers the last errors and writes them to stderr."""

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


def shape_ranges(document: Dict[str, Any], graph: str) -> Ranges:
    """Return the least, typical and greatest shape of each input of a graph.

    They are those that the workload gives, or else those that its inputs have.

    Args:
        document: The content of the workload file.
        graph: The name of the graph there.

    Raises:
        ValueError: The workload must give the shapes and does not.
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
                "'shape_ranges' of %r must give the shapes of %s: there outputs become inputs"
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
