"""This module tells from an ONNX graph alone whether TensorRT can parse it, and if not, why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from profilers.tensorrt.dialects import DIALECTS, NEVER, Dialect
from profilers.tensorrt.element_types import (
    FLOAT,
    FLOATS,
    INT8,
    MOST_AXES,
    QUANTISED,
    TYPE_SINCE,
    TYPED_INPUT,
    TYPED_OUTPUT,
    UINT8,
    types_of_operator,
)
from profilers.tensorrt.supported_operators import (
    COMPUTED_AXES_SINCE,
    CONSTANT_AXES,
    SHAPE_INPUTS,
    SHAPED_BY_DATA,
    TAKEN_SINCE,
)
from profilers.tensorrt.operator_restrictions import NodeFacts, restriction
from profilers.workload.from_onnx import load_onnx
from profilers.workload.subgraphs import bodies

if TYPE_CHECKING:  # onnx is slow to import
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

_STANDARD = ("", "ai.onnx")
_INT64, _DOUBLE = 7, 11
_SIZES = (6, 7, 9)  # INT32, INT64 and BOOL: shapes may be computed from these


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Something that a dialect refuses, or that one must know before an engine is built.

    Attributes:
        severity: "refusal" when the graph cannot be parsed, otherwise "note".
        node: The node's name, or its place when it has no name. It is empty when the finding is
            about the graph.
        operator: The node's operator. It is empty when the finding is about the graph.
        reason: The reason, as one line.
    """

    severity: Literal["refusal", "note"]
    node: str
    operator: str
    reason: str


def lint_graph(path: Path, dialect: str) -> tuple[LintFinding, ...]:
    """Return the findings of a dialect. Without a "refusal" TensorRT can parse the graph.

    Args:
        path: The ONNX file. Its weights are not read.
        dialect: One of ``DIALECTS``.

    Raises:
        WorkloadError: The file is not ONNX.
        ValueError: There is no such dialect.
        OSError: The file cannot be read.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"'dialect' must be one of {', '.join(DIALECTS)}. Got {dialect!r}.")
    rules = DIALECTS[dialect]
    return tuple(_Lint(load_onnx(path, inlines=rules.has_functions), rules).findings())


class _Lint:
    """The findings of one graph in one dialect."""

    def __init__(self, model: "ModelProto", dialect: Dialect) -> None:
        self._model = model
        self._dialect = dialect
        self._constants: dict[str, TensorProto] = {}
        self._from_constants: set[str] = set()
        self._types, self._ranks = _types_and_ranks(model)
        self._given = {x.name for x in model.graph.input}
        self._ends = {x.name for x in (*model.graph.input, *model.graph.output)}
        self._told: set[str] = set()  # tensors that no operator takes
        self._from_data: set[str] = set()
        self._from_sizes: set[str] = set()  # computed from inputs that may be shapes

    def findings(self) -> Iterator[LintFinding]:
        yield from self._opset()
        yield from self._inputs()
        yield from self._nodes(self._model.graph)

    def _opset(self) -> Iterator[LintFinding]:
        for entry in self._model.opset_import:
            if entry.domain in _STANDARD and entry.version > self._dialect.max_opset:
                newest = f"{self._dialect.max_opset}, the newest that it reads"
                reason = f"opset {entry.version} is newer than {newest}; export with an older one"
                yield LintFinding("refusal", "", "", reason)

    def _inputs(self) -> Iterator[LintFinding]:
        weights = {tensor.name for tensor in self._model.graph.initializer}
        inputs = [x for x in self._model.graph.input if x.name not in weights]
        for value in inputs:
            kept = self._from_sizes if _may_be_shape(value) else self._from_data
            kept.add(value.name)
        for value in inputs:
            if not value.type.tensor_type.elem_type:
                reason = f"its input {value.name!r} must be a tensor with an element type"
                yield LintFinding("refusal", "", "", reason)
        narrow = [x.name for x in inputs if x.type.tensor_type.elem_type == _INT64]
        if narrow and not self._dialect.has_int64:
            yield _note(f"INT64 is narrowed to INT32; give {_listed(narrow)} as INT32")
        doubles = [name for name, kind in self._types.items() if kind == _DOUBLE]
        if doubles:
            yield _note(f"DOUBLE is narrowed to FLOAT; {len(doubles)} tensors are")
        open_inputs = [
            x.name for x in inputs if any(not d.dim_value for d in x.type.tensor_type.shape.dim)
        ]
        if open_inputs:
            yield _note(f"an optimisation profile must give the shapes of {_listed(open_inputs)}")

    def _nodes(self, graph: "GraphProto") -> Iterator[LintFinding]:
        self._constants.update((tensor.name, tensor) for tensor in graph.initializer)
        self._from_constants.update(tensor.name for tensor in graph.initializer)
        for index, node in enumerate(graph.node):
            if node.op_type == "Constant":
                self._constants.update((name, _constant(node)) for name in node.output)
            name = node.name or f"node {index}"
            self._assume_symmetry(node)
            for severity, reason in self._reasons(node):
                yield LintFinding(severity, name, node.op_type, reason)
            self._follow(node)
            for body in bodies(node):
                self._from_data.update(x.name for x in body.input)
                yield from self._nodes(body)

    def _reasons(self, node: "NodeProto") -> Iterator[tuple[Literal["refusal", "note"], str]]:
        refusal = self._refusal(node)
        if refusal:
            yield "refusal", refusal
            return
        given = [name for name in self._shapes_of(node) if name in self._from_sizes]
        if given:
            yield "note", f"{_listed(given)} gives a shape: it lies on the CPU, not the GPU"
        is_old = self._dialect.version < (10, 0)
        if node.op_type in SHAPED_BY_DATA or self._is_shaped_by_data(node):
            how = "its output's shape depends on data"
            if is_old and node.op_type not in SHAPED_BY_DATA:
                yield "refusal", f"{how}, which 8.x takes only from NonZero and NonMaxSuppression"
            else:
                yield "note", f"{how}: the CPU waits for it, and no CUDA graph can hold it"

    def _refusal(self, node: "NodeProto") -> str:
        operator, dialect = node.op_type, self._dialect
        if node.domain not in _STANDARD:
            return f"the domain {node.domain!r} is not a standard one; write it with ONNX operators"
        since = TAKEN_SINCE.get(operator)
        if since is None or operator in dialect.refused:
            return "the parser does not take this operator; write it with others"
        if since > dialect.version:
            return f"the parser takes it since {since[0]}.{since[1]} only; write it with others"
        axes = CONSTANT_AXES.get(operator)
        is_free = dialect.version >= COMPUTED_AXES_SINCE.get(operator, NEVER)
        if axes is not None and not is_free and not self._is_constant(node, axes):
            return "its axes must be a constant"
        facts = NodeFacts(
            node,
            types=self._types,
            ranks=self._ranks,
            constants=self._from_constants,
            given=self._given,
            from_data=self._from_data,
        )
        if refusal := self._type_refusal(node) or restriction(facts, dialect):
            return refusal
        if operator in ("QuantizeLinear", "DequantizeLinear"):
            return self._zero_point(node)
        return self._topk(node) if operator == "TopK" else ""

    def _type_refusal(self, node: "NodeProto") -> str:
        """Return why the element types of a node are refused; empty when they are taken."""
        for name in (*node.input, *node.output):
            if name not in self._told and (reason := self._tensor_refusal(name)):
                self._told.add(name)
                return reason
        place = TYPED_INPUT.get(node.op_type, 0)
        names = node.output if node.op_type in TYPED_OUTPUT else node.input[place:]
        number = self._types.get(names[0], 0) if names else 0
        taken = types_of_operator(node.op_type, self._dialect.version)
        if not number or taken is None or number in taken or names[0] in self._told:
            return ""
        plain = taken - QUANTISED
        if plain - {INT8} <= FLOATS and plain - {INT8}:
            return f"its input must be floating point, not {_type_name(number)}; cast it"
        listed = ", ".join(_type_name(each) for each in sorted(plain))
        return f"its type must be one of {listed}, not {_type_name(number)}; cast it"

    def _tensor_refusal(self, name: str) -> str:
        """Return why no operator takes the type or the axes of a tensor; empty when one does."""
        number = self._types.get(name, 0)
        since = TYPE_SINCE.get(number, NEVER)
        if number and since > self._dialect.version:
            when = "does not take" if since == NEVER else f"takes since {since[0]}.{since[1]} only"
            return f"{name!r} is {_type_name(number)}, which TensorRT {when}"
        if number == UINT8 and name not in self._ends:
            return f"{name!r} is UINT8, which is taken in inputs and outputs of the graph only"
        rank = self._ranks.get(name, 0)
        return (
            f"{name!r} has {rank} axes, at most {MOST_AXES} are taken" if rank > MOST_AXES else ""
        )

    def _assume_symmetry(self, node: "NodeProto") -> None:
        """Give the output of a quantisation without a zero point the type INT8."""
        if node.op_type == "QuantizeLinear" and len(node.input) < 3:
            self._types.update(dict.fromkeys(node.output, INT8))

    def _zero_point(self, node: "NodeProto") -> str:
        tensor = self._constants.get(node.input[2]) if len(node.input) > 2 else None
        if tensor is not None and any(_integers(tensor)):
            return "its zero point must be 0; quantise symmetrically"
        return ""

    def _topk(self, node: "NodeProto") -> str:
        tensor = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if tensor is None:
            return "" if self._dialect.has_dynamic_k else "its K must be an initialiser"
        (k,) = _integers(tensor) or (0,)
        limit = self._dialect.topk_limit
        return f"its K must be at most {limit}. Got {k}" if k > limit else ""

    def _is_constant(self, node: "NodeProto", place: int) -> bool:
        """Return whether an input is constant or left out."""
        if len(node.input) <= place or not node.input[place]:
            return True
        # Since 9.0 the parser computes what follows from constants.
        is_folded = self._dialect.version >= (9, 0) and node.input[place] in self._from_constants
        return is_folded or node.input[place] in self._constants

    def _is_shaped_by_data(self, node: "NodeProto") -> bool:
        return any(name in self._from_data for name in self._shapes_of(node))

    def _shapes_of(self, node: "NodeProto") -> list[str]:
        """Return the inputs that decide the shape of the node's output."""
        places = SHAPE_INPUTS.get(node.op_type, ())
        return [node.input[place] for place in places if place < len(node.input)]

    def _follow(self, node: "NodeProto") -> None:
        """Note which outputs are computed from data. The shape of data is not data."""
        if all(name in self._from_constants for name in node.input if name):
            self._from_constants.update(node.output)
        if node.op_type in ("Shape", "Size"):
            return
        if any(name in self._from_data for name in node.input):
            self._from_data.update(node.output)
        elif any(name in self._from_sizes for name in node.input):
            for name in node.output:
                kept = self._from_sizes if self._is_size(node, name) else self._from_data
                kept.add(name)

    def _is_size(self, node: "NodeProto", name: str) -> bool:
        """Return whether a tensor that follows from sizes may be one: not the row of a table.

        In 8.x no floating-point tensor is a size.
        """
        number = self._types.get(name, _INT64)
        is_short = self._ranks.get(name, 2) <= 1 and not node.op_type.startswith("Gather")
        has_floats = self._dialect.version >= (10, 0)
        return number in _SIZES or (number == FLOAT and is_short and has_floats)


def _may_be_shape(value: "ValueInfoProto") -> bool:
    """Return whether an input can be a shape tensor: integers in at most one dimension."""
    kind = value.type.tensor_type
    return kind.elem_type in _SIZES and kind.HasField("shape") and len(kind.shape.dim) <= 1


def _constant(node: "NodeProto") -> "TensorProto":
    """Return the tensor of a Constant node. It has no type when it has no known elements."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    tensor = TensorProto()
    for attribute in node.attribute:
        if attribute.name == "value":
            tensor = attribute.t
        if attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
            tensor = numpy_helper.from_array(np.asarray(helper.get_attribute_value(attribute)))
    return tensor


def _type_name(number: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(number))


def _types_and_ranks(model: "ModelProto") -> tuple[dict[str, int], dict[str, int]]:
    """Return the type and the number of dimensions of every tensor that ONNX can infer."""
    import onnx.shape_inference

    from profilers.workload.subgraphs import all_graphs

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # protobuf's or ONNX's; unknown types are then not judged
        graph = model.graph
    graphs = list(all_graphs(graph))
    values = [x for g in graphs for x in (*g.input, *g.value_info, *g.output)]
    types = {x.name: int(x.type.tensor_type.elem_type) for x in values}
    ranks = {
        x.name: len(x.type.tensor_type.shape.dim)
        for x in values
        if x.type.tensor_type.HasField("shape")
    }
    weights = [tensor for g in graphs for tensor in g.initializer]
    types |= {tensor.name: tensor.data_type for tensor in weights}
    return types, ranks | {tensor.name: len(tensor.dims) for tensor in weights}


def _integers(tensor: "TensorProto") -> tuple[int, ...]:
    """Return the values of a small constant; empty when they are unknown or in another file."""
    from onnx import TensorProto, numpy_helper

    is_known = tensor.data_type and tensor.data_location != TensorProto.EXTERNAL
    if not is_known or prod(tensor.dims) > 1 << 20:
        return ()
    return tuple(int(x) for x in numpy_helper.to_array(tensor).ravel())


def _note(reason: str) -> LintFinding:
    return LintFinding("note", "", "", reason)


def _listed(names: Iterable[str], shown: int = 4) -> str:
    given = list(names)
    more = f" and {len(given) - shown} more" if len(given) > shown else ""
    return ", ".join(given[:shown]) + more
