"""This module checks, before anything is counted or measured, that a graph can be run at all."""

import re
from pathlib import Path

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    checker,
    defs,
)

from profilers.workload.fields import WorkloadError
from profilers.workload.runtime import require_loadable
from profilers.workload.stored_weights import missing_weight, require_sound_weight
from profilers.workload.subgraphs import (
    all_nodes,
    bodies,
    has_bodies,
    initialisers,
    name_of,
)

_TERM = r"(?:[A-Za-z\s]|\.\.\.)*"
_EQUATION = re.compile(rf"{_TERM}(?:,{_TERM})*(?:->{_TERM})?")
# The domains of the operators of ONNX and of ONNX Runtime.
_JUDGED_DOMAINS = ("", "com.microsoft")
# Attributes of convolutions and pools, by which ONNX Runtime divides.
_POSITIVE = frozenset(("dilations", "group", "kernel_shape", "strides"))


def require_sound(model: ModelProto, path: Path) -> None:
    """Check that every node has its inputs, of types that it takes, and every weight a place.

    Operators that ONNX does not describe are not judged.

    Raises:
        WorkloadError: The message names the node or the weight.
    """
    for weight in initialisers(model.graph):
        require_sound_weight(weight, path)
    versions = {each.domain: each.version for each in model.opset_import}
    _require_sound_nodes(model, versions, path)
    _require_sources(model.graph, frozenset(), path)
    made = {name for node in model.graph.node for name in node.output}
    made |= {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for value in model.graph.output:
        if value.name not in made:
            raise WorkloadError(f"{path}: no node gives the output '{value.name}' of the graph.")
    require_loadable(model, path)


def require_outputs(model: ModelProto, path: Path) -> None:
    """Check that a runtime computes anything.

    Raises:
        WorkloadError: The graph declares no outputs.
    """
    if not model.graph.output:
        raise WorkloadError(
            f"{path} declares no outputs, so that a runtime computes nothing. Export it again."
        )


def require_weights(model: ModelProto, path: Path) -> None:
    """Check that the data of every weight is there, so that a runtime can load the graph.

    Raises:
        WorkloadError: The message names the first weight whose data is missing.
    """
    reason = missing_weight(model, path)
    if reason:
        raise WorkloadError(
            f"{path}: {reason}. `automoe cost` counts the graph without it; to measure it, save "
            f"the model with all of its weights, in files beside it if not within it."
        )


def _require_sound_nodes(model: ModelProto, versions: dict[str, int], path: Path) -> None:
    context = checker.C.CheckerContext()
    context.ir_version = min(model.ir_version or 8, 12)
    context.opset_imports = versions
    for index, node in enumerate(all_nodes(model.graph)):
        domain, version = node.domain, versions.get(node.domain, 0)
        if not domain and version < 1:
            raise WorkloadError(
                f"{path} does not say which version of ONNX's operators it uses. Export it again."
            )
        if domain in _JUDGED_DOMAINS:
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
    """Check a branch or a loop by its schema alone.

    `checker.check_node` does not know the values that a body takes from outside.
    """
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


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
