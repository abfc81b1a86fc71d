"""This module holds an opened ONNX graph and tells the shapes of its values, for given inputs.

Nodes are visited in their order. The outputs of one node are told by `node_outputs`, what runs
inside a branch or a loop by `control_flow`. When a `Split` has sizes that the graph computes from
data, such as the tokens of each expert, the caller gives the rows.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from math import prod
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto

from profilers.costs.computed_splits import SegmentRows, is_computed_split, split_by
from profilers.costs.control_flow import with_bodies
from profilers.costs.folding import as_loaded
from profilers.costs.misfits import misfit_text
from profilers.costs.node_outputs import DECIDED_BY_DATA, OutputRules
from profilers.costs.values import (
    UNKNOWN,
    UNKNOWN_SIZE,
    ContradictionError,
    ShapedNode,
    UnknownCostError,
    Value,
    declared_value,
)
from profilers.workload.from_onnx import load_onnx
from profilers.workload.stored_weights import missing_data, stored_array
from profilers.workload.subgraphs import captured_names, has_bodies, needed_nodes

_REPLACEABLE_FROM = 4  # the IR version from which an input may replace the weight of its name
_MOST_SCALES = 16  # numbers of floating point that may be sizes, or scales of axes
_MOST_FOLLOWED = 2048  # bodies in one run of a graph; loops within loops multiply


class OpenedGraph:
    """An opened ONNX file, whose shapes can be inferred many times.

    Args:
        path: The file. Of the weights beside it only those are read that may decide a shape.
        model: What `load_onnx` returned for it; None opens the file.

    Raises:
        WorkloadError: The file is not ONNX, or the place of a weight is not valid.
        OSError: The file or a weight cannot be read.
    """

    def __init__(self, path: Path, model: ModelProto | None = None) -> None:
        model = model or load_onnx(path)
        self.path = path
        versions = {opset.domain: opset.version for opset in model.opset_import}
        self._rules = OutputRules(versions, model.ir_version)
        self._bodies: dict[int, OpenedGraph] = {}
        self._has_replaceable_weights = model.ir_version >= _REPLACEABLE_FROM
        self._followed_bodies = [0]  # all bodies share it
        self._take(model.graph)

    def _take(self, graph: GraphProto) -> None:
        self.graph = graph
        weights = {weight.name: _weight(weight, self.path) for weight in graph.initializer}
        weights |= {
            weight.values.name: Value(weight.values.data_type, tuple(weight.dims))
            for weight in graph.sparse_initializer
        }
        replaceable = {x.name for x in graph.input} if self._has_replaceable_weights else ()
        self.weights = {
            name: replace(value, is_constant=name not in replaceable)
            for name, value in weights.items()
        }
        self.inputs = tuple(x.name for x in graph.input if x.name not in self.weights)
        self._missing = {
            weight.name: missing_data(weight, self.path)
            for weight in graph.initializer
            if _may_decide_a_shape(weights[weight.name]) and weights[weight.name].content is None
        }
        self._needed = needed_nodes(graph)
        self._declared = {
            value.name: value.type.tensor_type
            for value in (*graph.input, *graph.value_info, *graph.output)
            if value.type.HasField("tensor_type")
        }
        self._seen: dict[tuple[object, ...], ShapedNode] = {}

    def _body(self, graph: GraphProto) -> "OpenedGraph":
        """Return the body of a loop or a branch as an opened graph."""
        if id(graph) not in self._bodies:
            body = copy(self)
            body._bodies = {}
            body._take(graph)
            self._bodies[id(graph)] = body
        return self._bodies[id(graph)]

    def shaped_nodes(
        self, inputs: Mapping[str, Value], segment_rows: SegmentRows
    ) -> list[ShapedNode]:
        """Return every node that a runtime runs, with its shapes.

        A node that no output of the graph needs is left out, as every runtime does.

        Args:
            inputs: The value of each input of the graph, by name.
            segment_rows: A function that gives the rows of each Split whose sizes the graph
                computes from data.
        """
        self._followed_bodies[0] = 0
        return self._shaped(inputs, segment_rows)

    def _shaped(self, inputs: Mapping[str, Value], segment_rows: SegmentRows) -> list[ShapedNode]:
        known: dict[str, Value] = {**self.weights, **inputs}
        sizes = self._symbols(inputs)
        nodes = []
        for index, proto in enumerate(self.graph.node):
            taken = tuple(known.get(name, UNKNOWN) if name else None for name in proto.input)
            bare = ShapedNode(proto, taken, ())
            if is_computed_split(bare):
                node = as_loaded(split_by(bare, segment_rows))
            else:
                captured = {x: known[x] for x in captured_names(proto) if x in known}
                values = (*taken, *captured.values())
                key = (index, *(value and value.key for value in values), *sizes.items())
                if key not in self._seen:
                    infer = partial(self._infer, bare, captured, sizes)
                    follow = partial(self._follow, captured, segment_rows)
                    self._seen[key] = (
                        with_bodies(bare, infer, follow)
                        if has_bodies(proto)
                        else as_loaded(infer())
                    )
                node = self._seen[key]
            known.update(zip(proto.output, node.outputs, strict=True))
            if index in self._needed:
                nodes.append(node)
        return nodes

    def _follow(
        self,
        captured: Mapping[str, Value],
        segment_rows: SegmentRows,
        body: GraphProto,
        inputs: Mapping[str, Value],
    ) -> tuple[tuple[ShapedNode, ...], tuple[Value, ...]]:
        """Return the nodes of a body and its outputs.

        Args:
            captured: The values that the body takes from the graph around it, by name.
            segment_rows: As in `shaped_nodes`.
            body: The body.
            inputs: The value of each input of the body, by name.
        """
        self._followed_bodies[0] += 1
        if self._followed_bodies[0] > _MOST_FOLLOWED:
            raise UnknownCostError("loops within loops repeat too often to be followed")
        opened = self._body(body)
        known = {**captured, **inputs}
        nodes = tuple(opened._shaped(known, segment_rows))
        values = {**known, **opened.weights}
        for node in nodes:
            values |= dict(zip(node.proto.output, node.outputs, strict=True))
        return nodes, tuple(values.get(x.name, UNKNOWN) for x in body.output)

    def _symbols(self, inputs: Mapping[str, Value]) -> dict[str, int]:
        """Return the sizes that the inputs give to the graph's symbolic dimensions."""
        sizes: dict[str, set[int]] = {}
        for name, value in inputs.items():
            if name in self._declared and value.shape is not None:
                dims = self._declared[name].shape.dim
                for dim, size in zip(dims, value.shape, strict=False):
                    sizes.setdefault(dim.dim_param, set()).add(size)
        sizes.pop("", None)
        return {symbol: size for symbol, (size, *more) in sizes.items() if not more}

    def _infer(
        self, node: ShapedNode, captured: Mapping[str, Value], sizes: Mapping[str, int]
    ) -> ShapedNode:
        """Return the node with its outputs.

        An output that cannot be inferred has the shape that the graph declares.
        """
        proto = node.proto
        inferred: list[Value] = []
        problem = misfit = ""
        declared = self._declared
        is_assumed = any(x.is_assumed for x in (*node.inputs, *captured.values()) if x)
        try:
            inferred = self._rules.fitting_outputs(node, captured)
        except ContradictionError as error:
            problem, declared = str(error), {}
            misfit = "" if is_assumed else misfit_text(node, problem)
        except UnknownCostError as error:
            problem = str(error)
        outputs = []
        for name, value in zip_longest(proto.output, inferred[: len(proto.output)]):
            known = UNKNOWN if value is None or not name else value
            if name and known.shape is None and name in declared:
                as_declared = declared_value(declared[name], sizes, is_inferred=False)
                known = known if as_declared.shape is None else as_declared
            outputs.append(replace(known, is_assumed=True) if is_assumed else known)
        named = zip(proto.output, outputs, strict=True)
        unknown = [(name, value) for name, value in named if name and value.n_bytes is None]
        if unknown and not problem:
            problem = self._why_unknown(node, *unknown[0])
        return ShapedNode(proto, node.inputs, tuple(outputs), problem if unknown else "", misfit)

    def _why_unknown(self, node: ShapedNode, name: str, value: Value) -> str:
        """Return the reason why an output of a node is unknown."""
        if value.shape is not None:
            return f"output '{name}': {UNKNOWN_SIZE}"
        how = "computed from data" if node.op in DECIDED_BY_DATA else "unknown"
        missing = [x for x in map(self._missing.get, node.proto.input) if x]
        because = f", because {missing[0]}" if missing else ""
        return f"the shape of its output '{name}' is {how}{because}"


def _weight(weight: TensorProto, graph: Path) -> Value:
    """Return a weight. Of other files only what may decide a shape is read."""
    value = Value(weight.data_type, tuple(weight.dims))
    is_apart = weight.data_location == TensorProto.EXTERNAL
    if value.is_large or value.n_bytes is None or (is_apart and not _may_decide_a_shape(value)):
        return value
    return replace(value, content=stored_array(weight, graph))


def _may_decide_a_shape(value: Value) -> bool:
    """Return whether a weight may be sizes, positions or scales."""
    is_float = value.elem_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    is_few = value.shape is not None and prod(value.shape) <= _MOST_SCALES
    return not value.is_large and (is_few or not is_float)
