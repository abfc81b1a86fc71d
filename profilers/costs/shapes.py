"""This module infers the shapes of all values in an ONNX graph, for given inputs.

Nodes are visited in their order. Nodes that compute shapes (the length of an input, a slice of
it, a range) are run. For all other nodes only the shapes are inferred. When a `Split` has sizes
that the graph computes from data, such as the tokens of each expert, the caller gives the rows.
"""

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    checker,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from profilers.costs.computed_splits import SegmentRows, is_computed_split, split_by
from profilers.costs.contributed_operators import described_by_rule
from profilers.costs.control_flow import followed
from profilers.costs.misfits import misfit_of, misfit_text
from profilers.costs.runtime_shapes import computed_outputs, described_outputs, tried_outputs
from profilers.costs.sequences import outputs_by_sequence
from profilers.costs.values import (
    UNKNOWN,
    UNKNOWN_SIZE,
    ContradictionError,
    ShapedNode,
    UnknownCostError,
    Value,
    named_inputs,
)
from profilers.workload.from_onnx import load_onnx
from profilers.workload.runtime import newest_opset
from profilers.workload.subgraphs import (
    MAX_KNOWN_ELEMENTS,
    captured_names,
    has_bodies,
    needed_nodes,
)

_RANDOM_NAMES = """
    Bernoulli Dropout Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike
"""
_RANDOM = frozenset(_RANDOM_NAMES.split())
# Operators whose output is as large as what they find in the data.
_DECIDED_BY_DATA = frozenset(("Compress", "NonMaxSuppression", "NonZero", "StringSplit", "Unique"))
_BY_DATA = "computed from data"
_KNOWN_IR_VERSION = 8  # that of every release of ONNX Runtime
_MOST_FOLLOWED = 2048  # bodies in one run of a graph; loops within loops multiply
# ONNX raises these when an operator cannot take the shapes, the number or the types of its inputs.
_REFUSALS = (shape_inference.InferenceError, checker.ValidationError, RuntimeError, ValueError)


class OpenedGraph:
    """An opened ONNX file, whose shapes can be inferred many times.

    Args:
        path: The file. Weights beside it are not read.
        model: What `load_onnx` returned for it; None opens the file.

    Raises:
        WorkloadError: The file is not ONNX.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path, model: ModelProto | None = None) -> None:
        model = model or load_onnx(path)
        self.path = path
        self._versions = {opset.domain: opset.version for opset in model.opset_import}
        self._header = _header(self._versions, model.ir_version)
        self._bodies: dict[int, OpenedGraph] = {}
        self._followed_bodies = [0]  # all bodies share it
        self._take(model.graph)

    def _take(self, graph: GraphProto) -> None:
        self.graph = graph
        self.weights = {weight.name: _weight(weight) for weight in graph.initializer}
        self.weights |= {
            weight.values.name: Value(weight.values.data_type, tuple(weight.dims))
            for weight in graph.sparse_initializer
        }
        self.inputs = tuple(x.name for x in graph.input if x.name not in self.weights)
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
                node = split_by(bare, segment_rows)
            else:
                captured = {x: known[x] for x in captured_names(proto) if x in known}
                values = (*taken, *captured.values())
                key = (index, *(value and value.key for value in values), *sizes.items())
                if key not in self._seen:
                    infer = partial(self._infer, bare, captured, sizes)
                    self._seen[key] = (
                        self._followed(bare, infer, captured, segment_rows)
                        if has_bodies(proto)
                        else infer()
                    )
                node = self._seen[key]
            known.update(zip(proto.output, node.outputs, strict=True))
            if index in self._needed:
                nodes.append(node)
        return nodes

    def _followed(
        self,
        node: ShapedNode,
        infer: Callable[[], ShapedNode],
        captured: Mapping[str, Value],
        segment_rows: SegmentRows,
    ) -> ShapedNode:
        """Return a node with what runs inside its bodies.

        Args:
            node: The node.
            infer: A function that gives the node with its outputs. It may ask ONNX Runtime, which
                takes long, so it is called only when the bodies leave an output unknown.
            captured: The values that the bodies take from the graph around them, by name.
            segment_rows: As in `shaped_nodes`.
        """

        def follow(
            body: GraphProto, inputs: Mapping[str, Value]
        ) -> tuple[tuple[ShapedNode, ...], tuple[Value, ...]]:
            self._followed_bodies[0] += 1
            if self._followed_bodies[0] > _MOST_FOLLOWED:
                raise UnknownCostError("loops within loops repeat too often to be followed")
            opened = self._body(body)
            known = {**captured, **inputs}
            nodes = tuple(opened._shaped(known, segment_rows))
            values = {**known, **opened.weights}
            for inner in nodes:
                values |= dict(zip(inner.proto.output, inner.outputs, strict=True))
            return nodes, tuple(values.get(x.name, UNKNOWN) for x in body.output)

        try:
            inside = followed(node, follow)
        except UnknownCostError as error:
            return replace(infer(), problem=str(error))
        told = dict(zip(node.proto.output, inside.outputs, strict=False))
        if any(name and told.get(name, UNKNOWN).form is None for name in node.proto.output):
            node = infer()
        named = zip_longest(node.proto.output, node.outputs, inside.outputs)
        outputs = tuple(
            inner if inner is not None and inner.form is not None else (own or UNKNOWN)
            for name, own, inner in named
            if name is not None
        )
        unknown = any(
            name and value.n_bytes is None
            for name, value in zip(node.proto.output, outputs, strict=True)
        )
        problem = inside.problem or (node.problem if unknown else "")
        misfits = [x.misfit for times, nodes in inside.inner if times for x in nodes if x.misfit]
        misfit = misfits[0] if misfits and inside.is_certain else ""
        return replace(node, outputs=outputs, problem=problem, misfit=misfit, inner=inside.inner)

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
            inferred = self._fitting_outputs(node, captured)
        except ContradictionError as error:
            problem, declared = str(error), {}
            misfit = "" if is_assumed else misfit_text(node, problem)
        except UnknownCostError as error:
            problem = str(error)
        outputs = []
        for name, value in zip_longest(proto.output, inferred[: len(proto.output)]):
            known = UNKNOWN if value is None or not name else value
            if name and known.shape is None and name in declared:
                as_declared = _as_declared(declared[name], sizes, is_inferred=False)
                known = known if as_declared.shape is None else as_declared
            outputs.append(replace(known, is_assumed=True) if is_assumed else known)
        named = zip(proto.output, outputs, strict=True)
        unknown = [(name, value) for name, value in named if name and value.n_bytes is None]
        if unknown and not problem:
            name, value = unknown[0]
            is_data = node.op in _DECIDED_BY_DATA
            shapeless = f"the shape of its output '{name}' is {_BY_DATA if is_data else 'unknown'}"
            problem = shapeless if value.shape is None else f"output '{name}': {UNKNOWN_SIZE}"
        return ShapedNode(proto, node.inputs, tuple(outputs), problem if unknown else "", misfit)

    def _fitting_outputs(self, node: ShapedNode, captured: Mapping[str, Value]) -> list[Value]:
        """Return the outputs of a node. ONNX Runtime decides where its inputs seem not to fit.

        Raises:
            ContradictionError: They do not fit.
            UnknownCostError: The outputs cannot be told.
        """
        try:
            node = replace(node, outputs=tuple(self._outputs(node, captured)))
            reason = misfit_of(node)
        except ContradictionError as error:
            reason = str(error)
        if not reason or has_bodies(node.proto):
            return list(node.outputs)
        try:
            return tried_outputs(node, self._header)
        except UnknownCostError as error:
            if node.outputs and not isinstance(error, ContradictionError):
                return list(node.outputs)  # ONNX sees nothing wrong, and the judge cannot be asked
            raise ContradictionError(reason) from None

    def _outputs(self, node: ShapedNode, captured: Mapping[str, Value]) -> list[Value]:
        if node.op in ("Shape", "Size"):
            return [Value.of(_measured(node))]
        if (by_sequence := outputs_by_sequence(node)) is not None:
            return by_sequence
        taken = named_inputs(node)
        schema = self._schema(node.proto)
        if schema is None:
            by_rule = described_by_rule(node)
            if by_rule is not None:
                return by_rule
            return described_outputs(node.proto, {**taken, **captured}, self._header)
        inferred = self._inferred(node, schema)
        if _is_computable(node, inferred):
            try:
                if _is_bounded(node, inferred):
                    return computed_outputs(node.proto, taken, self._header)
                return tried_outputs(replace(node, outputs=tuple(inferred)), self._header)
            except ContradictionError:
                raise
            except UnknownCostError:
                pass
        return inferred

    def _schema(self, proto: NodeProto) -> defs.OpSchema | None:
        """Return ONNX's description of an operator; None when ONNX cannot infer its shapes."""
        domain, version = proto.domain, self._versions.get(proto.domain, 0)
        if has_bodies(proto) or not version or not defs.has(proto.op_type, version, domain):
            return None
        return defs.get_schema(proto.op_type, version, domain)

    def _inferred(self, node: ShapedNode, schema: defs.OpSchema) -> list[Value]:
        named = named_inputs(node)
        if any(value.elem_type == 0 for value in named.values()):
            raise UnknownCostError("the type of an input is unknown")
        contents = {
            name: numpy_helper.from_array(value.content)
            for name, value in named.items()
            if value.content is not None
        }
        try:
            types = shape_inference.infer_node_outputs(
                schema,
                node.proto,
                {x: helper.make_tensor_type_proto(y.elem_type, y.shape) for x, y in named.items()},
                contents,
                opset_imports=list(self._header.opset_import),
                ir_version=self._header.ir_version,
            )
        except _REFUSALS as error:
            last = str(error).strip().splitlines()[-1]
            reason = re.split(r"\[\w+Error\] ", last)[-1]
            raise ContradictionError(reason.rstrip(".")) from None
        for name in node.proto.output:
            if name in types and types[name].WhichOneof("value") != "tensor_type":
                raise UnknownCostError(f"its output '{name}' is not a tensor, which has no rule")
            if name in types and any(x.dim_value < 0 for x in types[name].tensor_type.shape.dim):
                raise ContradictionError(f"its output '{name}' would have a negative size")
        outputs = [
            _as_declared(types[name].tensor_type, {}, is_inferred=True)
            if name in types
            else UNKNOWN
            for name in node.proto.output
        ]
        if node.op == "Dropout" and len(outputs) == 2 and outputs[1].shape is None:
            outputs[1] = outputs[0]  # before opset 12 ONNX infers nothing about the mask
        if node.op == "MaxUnpool" and node.has_input(2):
            outputs[0] = _with_shape_of(node.inputs[2], outputs[0])  # ONNX does not look at it
        return outputs


def _header(versions: Mapping[str, int], ir_version: int) -> ModelProto:
    """Return a model without a graph, which ONNX Runtime takes although a graph is newer."""
    newest = newest_opset()
    opsets = [
        helper.make_opsetid(domain, version if domain else min(version, newest))
        for domain, version in versions.items()
    ]
    return ModelProto(ir_version=min(ir_version, _KNOWN_IR_VERSION), opset_import=opsets)


def _is_computable(node: ShapedNode, inferred: list[Value]) -> bool:
    """Return whether all inputs are known, the outputs are small, and nothing is random."""
    known = all(value.content is not None for value in named_inputs(node).values())
    return known and node.op not in _RANDOM and not any(map(_is_large, inferred))


def _is_bounded(node: ShapedNode, inferred: list[Value]) -> bool:
    """Return whether the outputs cannot be large: their size is known, or that of the inputs."""
    named = zip(node.proto.output, inferred, strict=True)
    is_sized = all(value.shape is not None for name, value in named if name)
    return is_sized or node.op in _DECIDED_BY_DATA


def _weight(weight: TensorProto) -> Value:
    shape = tuple(weight.dims)
    value = Value(weight.data_type, shape)
    if weight.data_location == TensorProto.EXTERNAL or _is_large(value) or value.n_bytes is None:
        return value
    try:
        return Value(weight.data_type, shape, numpy_helper.to_array(weight))
    except ValueError:  # it has less data than its shape says
        return value


def _as_declared(
    declared: TypeProto.Tensor, sizes: Mapping[str, int], *, is_inferred: bool
) -> Value:
    """Return a value as it is declared, without a shape when a dimension is unknown.

    Exporters write -1 or 0 for a size that they do not know. Only an inferred 0 is a size.
    """
    least = 0 if is_inferred else 1
    shape = [
        (dim.dim_value if dim.dim_value >= least else None)
        if dim.WhichOneof("value") == "dim_value"
        else sizes.get(dim.dim_param)
        for dim in declared.shape.dim
    ]
    known = tuple(size for size in shape if size is not None)
    is_known = declared.HasField("shape") and len(known) == len(shape)
    return Value(declared.elem_type, known if is_known else None, is_assumed=not is_inferred)


def _with_shape_of(size: Value | None, value: Value) -> Value:
    """Return a value with the shape that another value holds, if that is known."""
    if size is None or size.content is None or value.elem_type == TensorProto.UNDEFINED:
        return value
    shape = tuple(size.content.ravel().tolist())
    return Value(value.elem_type, shape) if min(shape, default=0) >= 0 else value


def _measured(node: ShapedNode) -> NDArray[Any]:
    shape = node.in_shape(0)
    if node.proto.op_type == "Size":
        return np.asarray(np.prod(shape, dtype=np.int64))
    return np.asarray(shape[node.attribute("start", 0) : node.attribute("end")], np.int64)


def _is_large(value: Value) -> bool:
    return value.shape is not None and prod(value.shape) > MAX_KNOWN_ELEMENTS
