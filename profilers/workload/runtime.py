"""This module asks ONNX Runtime about a graph: it opens sessions, and tells what is not valid."""

import os
import re
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from onnx import (
    ModelProto,
    SparseTensorProto,
    TensorProto,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from profilers.workload.fields import WorkloadError
from profilers.workload.subgraphs import (
    MAX_KNOWN_ELEMENTS,
    all_nodes,
    initialisers,
    name_of,
    sparse_tensors,
)

# What ONNX Runtime says of a graph that no release of it can run.
_INVALID = ("This is an invalid model", "Type Error", "InferenceError]", "Duplicate definition")
# What it says of a version, an operator or an attribute that another release may know. ONNX checks
# the attributes of its own operators.
_UNKNOWN_TO_IT = (
    "No Op registered",
    "is not a registered",
    "Unsupported model IR version",
    "Unrecognized attribute",
)
_MOST_JUDGED_BYTES = 1 << 30


def opened_session(model: ModelProto, *, optimises: bool) -> Any:
    """Return an ONNX Runtime session of a model, on the processor and with one thread.

    Args:
        model: The model, without weights in other files.
        optimises: Whether constant values are computed, so that more shapes are known.

    Raises:
        Exception: ONNX Runtime does not load it. Each kind of refusal has its own private class.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # must be set before the import
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a refusal is an exception too
    options.intra_op_num_threads = 1
    options.graph_optimization_level = (
        levels.ORT_ENABLE_BASIC if optimises else levels.ORT_DISABLE_ALL
    )
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@cache
def newest_opset() -> int:
    """Return the newest version of ONNX's operators that ONNX Runtime and ONNX both know."""
    newest = defs.onnx_opset_version()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # must be set before the import
    try:
        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema
    except ImportError:  # not installed, or built without it
        return newest
    known = [each.since_version for each in get_all_operator_schema() if not each.domain]
    return min(newest, max(known, default=newest))


def require_loadable(model: ModelProto, path: Path) -> None:
    """Check that ONNX Runtime does not refuse the graph as invalid when it loads it.

    A model that it cannot judge passes: a newer one, one with operators that it does not know, one
    whose branches or loops have weights in other files, or one with large sparse tensors, which it
    would store whole.
    """
    judged = _without_weights(model)
    in_files = any(x.data_location == TensorProto.EXTERNAL for x in initialisers(judged.graph))
    is_large = judged.ByteSize() > _MOST_JUDGED_BYTES or any(map(_is_large, sparse_tensors(judged)))
    if is_large or in_files:  # files of weights of a body
        return
    try:
        opened_session(judged, optimises=False)
    except Exception as error:  # each kind of refusal has its own private class
        text = " ".join(str(error).split()).rstrip(".")
        if _is_invalid(text, judged):
            raise WorkloadError(f"{path}: {_complaint(text, judged)}.") from None


def _is_invalid(text: str, judged: ModelProto) -> bool:
    """Return whether no release of ONNX Runtime can run a graph that is refused with this text."""
    if not any(x in text for x in _INVALID) or any(x in text for x in _UNKNOWN_TO_IT):
        return False
    own = [node for node in all_nodes(judged.graph) if node.domain not in ("", "ai.onnx")]
    # A later release may take more types in an operator of its own, or need fewer outputs.
    typed = re.search(r"Type '.*' of (?:in|out)put parameter .* of operator \((.*?)\)", text)
    counted = re.search(r"Node ?\((.*?)\).* has output size", text)
    is_of_own = (typed and typed.group(1) in {node.op_type for node in own}) or (
        counted and counted.group(1) in {node.name for node in own}
    )
    return not is_of_own


def _complaint(text: str, judged: ModelProto) -> str:
    """Return what ONNX Runtime says of a graph, with the node and the shapes that it speaks of."""
    if match := re.search(r"Node \((.*?)\) Op \((.*?)\) \[\w+InferenceError\] (.*)", text):
        name, operator, reason = match.groups()
        shapes = ", ".join(_declared_shapes(judged, name))
        return f"node '{name}' ({operator}) cannot take {shapes}: {reason}. Correct the graph"
    if match := re.search(r'In Node, \("(.*?)", (.*?), .*? Error (.*)', text):
        name, operator, reason = match.groups()
        return f"node '{name}' ({operator}) is not valid: {reason}"
    reason = re.split(r"This is an invalid model\. |Error: |RuntimeException : ", text)[-1]
    operators = {node.name: node.op_type for node in all_nodes(judged.graph)}
    match = re.search(r"(?:in|of) node \((.*?)\)", reason)
    if match and match.group(1) in operators:
        name = match.group(1)
        return f"node '{name}' ({operators[name]}) is not valid: {reason}"
    return f"ONNX Runtime calls it invalid: {reason}"


def _declared_shapes(model: ModelProto, name: str) -> Iterator[str]:
    """Yield the inputs of a node with their shapes, as far as ONNX can infer them."""
    graph = shape_inference.infer_shapes(model).graph
    dims = {weight.name: list(weight.dims) for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info):
        shape = value.type.tensor_type.shape
        dims[value.name] = [dim.dim_param or dim.dim_value for dim in shape.dim]
    for node in all_nodes(graph):
        if " ".join(node.name.split()) == name:  # the text of a refusal is one line
            yield from (f"{x} {dims.get(x, '?')}".replace("'", "") for x in node.input if x)


def _without_weights(model: ModelProto) -> ModelProto:
    """Return the model with inputs in place of large weights, and a name for every node."""
    graph, bare = model.graph, ModelProto()
    given = {value.name for value in graph.input}
    small = [weight for weight in graph.initializer if _is_small(weight)]
    kept = {weight.name for weight in small}
    inputs = [
        *graph.input,
        *(
            helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
            for weight in graph.initializer
            if weight.name not in given | kept
        ),
    ]
    bare.graph.CopyFrom(
        helper.make_graph(
            graph.node,
            graph.name or "graph",
            inputs,
            graph.output,
            small,
            value_info=graph.value_info,
            sparse_initializer=graph.sparse_initializer,
        )
    )
    names = {node.name for node in graph.node}
    for index, node in enumerate(bare.graph.node):
        if not node.name:
            own = name_of(node, index)
            node.name = own if own not in names else f"{own} (number {index})"
    bare.ir_version = model.ir_version
    bare.opset_import.extend(model.opset_import)
    return bare


def _is_large(sparse: SparseTensorProto) -> bool:
    return int(prod(sparse.dims)) > MAX_KNOWN_ELEMENTS


def _is_small(weight: TensorProto) -> bool:
    """Return whether a weight may decide a shape, and has all of its data in the graph."""
    n_elements = prod(weight.dims)
    if weight.data_location == TensorProto.EXTERNAL or n_elements > MAX_KNOWN_ELEMENTS:
        return False
    try:
        return bool(numpy_helper.to_array(weight).size == n_elements)
    except ValueError:  # it has less data than its shape says
        return False
