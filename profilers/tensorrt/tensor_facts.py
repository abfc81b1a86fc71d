"""This module tells what is known of the tensors of a graph: types, axes, values, their origin.

A tensor is computed from constants, from sizes, or from data. The shape of data is not data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from profilers.tensorrt.dialects import Version
from profilers.tensorrt.element_types import BOOL, FLOAT, FLOATS, INT8, INT32, INT64

if TYPE_CHECKING:  # onnx is slow to import
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

_SIZES = (INT32, INT64, BOOL)  # shapes may be computed from these
# The number of elements in the outputs of these depends on data.
SHAPED_BY_DATA = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
# The places of the inputs that decide the shape of an output.
SHAPE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 4),
    "Split": (1,),
    "Tile": (1,),
    "TopK": (1,),
}


class TensorFacts:
    """What is known about the tensors of a graph, while its nodes are visited in order.

    Args:
        model: The model that holds the graph.
        version: The release of TensorRT that judges it.
        types: What `types_and_ranks` returned first for the model.
        ranks: What it returned second.

    Attributes:
        types: The number of the element type of each tensor that ONNX can infer.
        ranks: The number of dimensions of each tensor that ONNX can infer.
        stored: The constants whose values the visited part of the graph holds, by name.
        constants: The names of the tensors that are constant, or computed from constants.
        given: The names of the graph's inputs.
        from_data: The names of the tensors that are computed from data, not from shapes.
        from_sizes: The names of the tensors that are computed from inputs that may be shapes.
    """

    def __init__(
        self,
        model: "ModelProto",
        version: Version,
        types: Mapping[str, int],
        ranks: Mapping[str, int],
    ) -> None:
        self._version = version
        self.types, self.ranks = dict(types), dict(ranks)
        self.stored: dict[str, TensorProto] = {}
        self.constants: set[str] = set()
        self.given = {value.name for value in model.graph.input}
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in weights]
        self.from_sizes = {value.name for value in inputs if _may_be_shape(value)}
        self.from_data = {value.name for value in inputs} - self.from_sizes

    def enter(self, graph: "GraphProto") -> None:
        """Note the weights of the graph, or of a body, whose nodes are visited next."""
        self.stored.update((tensor.name, tensor) for tensor in graph.initializer)
        self.constants.update(tensor.name for tensor in graph.initializer)

    def enter_body(self, body: "GraphProto") -> None:
        """Note that the inputs of a body are data."""
        self.from_data.update(value.name for value in body.input)

    def visit(self, node: "NodeProto") -> None:
        """Note what a node says about its outputs before it is judged.

        The output of a quantisation without a zero point has the type INT8.
        """
        if node.op_type == "Constant":
            self.stored.update((name, _constant(node)) for name in node.output)
        if node.op_type == "QuantizeLinear" and len(node.input) < 3:
            self.types.update(dict.fromkeys(node.output, INT8))

    def leave(self, node: "NodeProto") -> None:
        """Note what the outputs of a node are computed from."""
        if all(name in self.constants for name in node.input if name):
            self.constants.update(node.output)
        if node.op_type in ("Shape", "Size"):
            return
        if any(name in self.from_data for name in node.input):
            self.from_data.update(node.output)
        elif any(name in self.from_sizes for name in node.input):
            for name in node.output:
                kept = self.from_sizes if self._is_size(node, name) else self.from_data
                kept.add(name)

    def _is_size(self, node: "NodeProto", name: str) -> bool:
        """Return whether a tensor that follows from sizes may be one: not the row of a table.

        In 8.x no floating-point tensor is a size.
        """
        number = self.types.get(name, INT64)
        is_short = self.ranks.get(name, 2) <= 1 and not node.op_type.startswith("Gather")
        has_floats = self._version >= (10, 0)
        return number in _SIZES or (number == FLOAT and is_short and has_floats)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node, and what is known about its tensors."""

    node: "NodeProto"
    tensors: TensorFacts

    @property
    def is_float(self) -> bool:
        """Return whether the first input is floating point; False when its type is unknown."""
        return self.tensors.types.get(self.input(0)) in FLOATS

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return the value of an attribute; text is decoded."""
        from onnx import helper

        for attribute in self.node.attribute:
            if attribute.name == name:
                value = helper.get_attribute_value(attribute)
                return value.decode(errors="replace") if isinstance(value, bytes) else value
        return default

    def rank(self, place: int) -> int | None:
        """Return the number of dimensions of an input; None when it is unknown."""
        name = self.input(place)
        return self.tensors.ranks.get(name) if name else None

    def input(self, place: int) -> str:
        """Return the name of an input; empty when it is left out."""
        return str(self.node.input[place]) if place < len(self.node.input) else ""

    def is_constant(self, place: int) -> bool:
        """Return whether an input is left out, constant, or computed from constants."""
        return not self.input(place) or self.input(place) in self.tensors.constants

    def is_stored(self, place: int) -> bool:
        """Return whether an input is left out, or a constant whose value the graph holds."""
        return not self.input(place) or self.input(place) in self.tensors.stored

    def integers(self, place: int) -> tuple[int, ...] | None:
        """Return the values of an input, empty when they are large or in another file.

        Return None when the graph does not hold them.
        """
        tensor = self.tensors.stored.get(self.input(place))
        return None if tensor is None else _integers(tensor)

    def outputs_beyond(self, n: int) -> list[str]:
        """Return the outputs after the first ``n``."""
        return [str(name) for name in self.node.output[n:] if name]

    def shapes(self) -> list[str]:
        """Return the inputs that decide the shape of the node's output."""
        places = SHAPE_INPUTS.get(self.node.op_type, ())
        return [self.node.input[place] for place in places if place < len(self.node.input)]


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


def types_and_ranks(model: "ModelProto") -> tuple[dict[str, int], dict[str, int]]:
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
    """Return the values of a small constant; empty when the graph does not hold them."""
    from onnx import TensorProto, numpy_helper

    is_known = tensor.data_type and tensor.data_location != TensorProto.EXTERNAL
    if not is_known or prod(tensor.dims) > 1 << 20:
        return ()
    try:
        return tuple(int(x) for x in numpy_helper.to_array(tensor).ravel())
    except ValueError:  # it has less data than its shape says
        return ()
