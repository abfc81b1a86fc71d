"""This module checks, before anything is counted or measured, that a graph can be run at all."""

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    checker,
    defs,
    helper,
    shape_inference,
)

from profilers.workload.fields import WorkloadError
from profilers.workload.runtime import opened_session
from profilers.workload.subgraphs import (
    MAX_KNOWN_ELEMENTS,
    all_nodes,
    bodies,
    has_bodies,
    initialisers,
)

# Types of which each element is stored by itself: not packed, and not in two parts.
_WHOLE_ELEMENTS = frozenset(
    (
        *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16),
        *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
        *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
        TensorProto.BOOL,
    )
)
_TERM = r"(?:[A-Za-z\s]|\.\.\.)*"
_EQUATION = re.compile(rf"{_TERM}(?:,{_TERM})*(?:->{_TERM})?")
# Attributes of convolutions and pools, by which ONNX Runtime divides.
_POSITIVE = frozenset(("dilations", "group", "kernel_shape", "strides"))
# What ONNX Runtime says of a graph that no release of it can run.
_INVALID = ("This is an invalid model", "Type Error", "InferenceError]", "Duplicate definition")
# What it says of an operator that another release, or another build, may know.
_UNKNOWN_TO_IT = ("No Op registered", "is not a registered", "Unsupported model IR version")
_MOST_JUDGED_BYTES = 1 << 30


def require_sound(model: ModelProto, path: Path) -> None:
    """Check that every node has its inputs, of types that it takes, and every weight a place.

    Operators that ONNX does not describe are not judged.

    Raises:
        WorkloadError: The message names the node or the weight.
    """
    for weight in initialisers(model.graph):
        _require_sound_weight(weight, path)
    versions = {
        "" if each.domain == "ai.onnx" else each.domain: each.version for each in model.opset_import
    }
    _require_sound_nodes(model, versions, path)
    _require_sources(model.graph, frozenset(), path)
    made = {name for node in model.graph.node for name in node.output}
    made |= {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for value in model.graph.output:
        if value.name not in made:
            raise WorkloadError(f"{path}: no node gives the output '{value.name}' of the graph.")
    _require_loadable(model, path)


def require_weights(model: ModelProto, path: Path) -> None:
    """Check that the data of every weight is there, so that a runtime can load the graph.

    Raises:
        WorkloadError: The message names the first weight whose data is missing.
    """
    for weight in initialisers(model.graph):
        if weight.data_location == TensorProto.EXTERNAL:
            _require_file(weight, path)
            continue
        n_held, n_needed = _elements_held(weight), prod(weight.dims)
        if n_held is not None and n_held < n_needed:
            raise WorkloadError(
                f"{path}: weight '{weight.name}' holds {n_held} of {n_needed} elements: the file "
                f"has shapes without data. `automoe cost` counts it; to measure it, export it "
                f"with its weights."
            )


def _require_sound_nodes(model: ModelProto, versions: dict[str, int], path: Path) -> None:
    context = checker.C.CheckerContext()
    context.ir_version = min(model.ir_version or 8, 12)
    context.opset_imports = versions
    for index, node in enumerate(all_nodes(model.graph)):
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = versions.get(domain, 0)
        if not domain and version < 1:
            raise WorkloadError(
                f"{path} does not say which version of ONNX's operators it uses. Export it again."
            )
        _require_equation(node, index, path)
        _require_positive(node, index, path)
        is_known = bool(version) and defs.has(node.op_type, version, domain)
        if not is_known:
            continue
        if has_bodies(node):
            _require_bodies(node, index, defs.get_schema(node.op_type, version, domain), path)
            continue
        try:
            checker.check_node(node, context)
        except Exception as error:  # checker.ValidationError, or protobuf's
            reason = _line(str(error).partition("==> Context")[0])
            raise _refused(name_of(node, index), node.op_type, reason, path) from None


def _require_bodies(node: NodeProto, index: int, schema: defs.OpSchema, path: Path) -> None:
    """Check what `checker.check_node` would refuse for the names that a body takes from outside."""
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in given:
            reason = f"Required attribute '{name}' is missing"
            raise _refused(name_of(node, index), node.op_type, reason, path)
    _require_inputs(node, index, schema.min_input, path)


def _require_inputs(node: NodeProto, index: int, least: int, path: Path) -> None:
    if len(node.input) < least:
        reason = f"it takes at least {least} inputs and has {len(node.input)}"
        raise _refused(name_of(node, index), node.op_type, reason, path)


def _require_sound_weight(weight: TensorProto, path: Path) -> None:
    name = f"{path}: weight '{weight.name}'"
    where = {entry.key: entry.value for entry in weight.external_data}
    if weight.data_location == TensorProto.EXTERNAL and not where.get("location"):
        raise WorkloadError(
            f"{name} lies in another file, but the graph does not say in which. Export the model "
            f"again."
        )
    for key in ("offset", "length"):
        if not where.get(key, "0").isdecimal():
            raise WorkloadError(f"{name} must have a number as {key}. Got {where[key]!r:.40}.")
    if any(size < 0 for size in weight.dims):
        raise WorkloadError(f"{name} must not have a negative size. Got {list(weight.dims)}.")
    if weight.data_type not in TensorProto.DataType.values() or not weight.data_type:
        raise WorkloadError(f"{name} must have an element type. Got {weight.data_type}.")


def _require_equation(node: NodeProto, index: int, path: Path) -> None:
    """Check an Einsum's equation by its letters, because ONNX never returns from some others."""
    for attribute in node.attribute:
        if node.op_type == "Einsum" and attribute.name == "equation":
            text = attribute.s.decode(errors="replace")
            if not _EQUATION.fullmatch(text):
                reason = f"its equation cannot be read: {text!r:.60}"
                raise _refused(name_of(node, index), node.op_type, reason, path)


def _require_positive(node: NodeProto, index: int, path: Path) -> None:
    for attribute in node.attribute:
        if attribute.name in _POSITIVE:
            for value in (*attribute.ints, *([attribute.i] if attribute.HasField("i") else [])):
                if value < 1:
                    reason = f"its attribute '{attribute.name}' must be at least 1. Got {value}"
                    raise _refused(name_of(node, index), node.op_type, reason, path)


def _require_loadable(model: ModelProto, path: Path) -> None:
    """Check that ONNX Runtime does not refuse the graph as invalid when it loads it.

    A model that it cannot judge passes: one with operators that it does not know, or a newer one.
    """
    judged = _without_weights(model)
    if judged.ByteSize() > _MOST_JUDGED_BYTES:
        return
    try:
        opened_session(judged, optimises=False)
    except Exception as error:  # each kind of refusal has its own private class
        text = _line(str(error))
        if any(x in text for x in _INVALID) and not any(x in text for x in _UNKNOWN_TO_IT):
            raise WorkloadError(f"{path}: {_complaint(text, judged)}.") from None


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
        if node.name == name:
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


def _is_small(weight: TensorProto) -> bool:
    """Return whether a weight may decide a shape, and has all of its data in the graph."""
    n_elements = prod(weight.dims)
    is_here = weight.data_location != TensorProto.EXTERNAL
    return is_here and n_elements <= MAX_KNOWN_ELEMENTS and _elements_held(weight) == n_elements


def _require_sources(graph: GraphProto, outer: frozenset[str], path: Path) -> None:
    """Check that every value is given by an input, a weight or an earlier node.

    The nodes are in their order, see `load_onnx`; what is left over goes round in a circle.
    """
    made: set[str] = set()
    known = set(outer) | {value.name for value in graph.input}
    known |= {weight.name for weight in graph.initializer}
    known |= {weight.values.name for weight in graph.sparse_initializer}
    for index, node in enumerate(graph.node):
        for name in node.input:
            if name and name not in known:
                reason = f"it takes '{name}', which no input, weight or node before it gives"
                raise _refused(name_of(node, index), node.op_type, reason, path)
        for body in bodies(node):
            _require_sources(body, frozenset(known), path)
        if again := [name for name in node.output if name and name in made]:
            reason = f"it gives '{again[0]}', which another node gives too"
            raise _refused(name_of(node, index), node.op_type, reason, path)
        made.update(node.output)
        known.update(node.output)


def _refused(name: str, operator: str, reason: str, path: Path) -> WorkloadError:
    return WorkloadError(f"{path}: node '{name}' ({operator}) is not valid: {reason}.")


def name_of(node: NodeProto, index: int) -> str:
    """Return the name by which a node can be found: its own, or that of its first output."""
    return node.name or next(filter(None, node.output), f"number {index}")


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _elements_held(weight: TensorProto) -> int | None:
    """Return how many elements a weight has data for; None when its type does not tell it."""
    if weight.data_type not in _WHOLE_ELEMENTS:
        return None
    if weight.HasField("raw_data"):
        itemsize = helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize
        return len(weight.raw_data) // itemsize
    return len(getattr(weight, helper.tensor_dtype_to_field(weight.data_type)))


def _require_file(weight: TensorProto, path: Path) -> None:
    where = {entry.key: entry.value for entry in weight.external_data}
    file = (path.parent / where.get("location", "")).resolve()
    if not file.is_relative_to(path.parent.resolve()):
        raise WorkloadError(
            f"{path}: weight '{weight.name}' lies outside of the folder of the graph, in "
            f"{where.get('location')!r}. Save the model again with its data beside it."
        )
    n_needed = int(where.get("offset", 0)) + int(where.get("length", 0))
    if not file.is_file() or file.stat().st_size < n_needed:
        state = "is missing" if not file.is_file() else "is too short"
        raise WorkloadError(
            f"{path}: {file.name!r} {state}, which holds weight '{weight.name}'. `automoe cost` "
            f"counts the graph without it; to measure it, put the file beside it."
        )
