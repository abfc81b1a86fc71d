"""This module describes tensors before a graph runs: type, shape, and the content of small ones.

A `Value` is a tensor. A `ShapedNode` is a node with its inputs and outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, TypeProto, helper

from profilers.workload.subgraphs import MAX_KNOWN_ELEMENTS
from profilers.workload.workload import TensorSpec

_BITS = {
    **dict.fromkeys(("DOUBLE", "INT64", "UINT64", "COMPLEX64"), 64),
    **dict.fromkeys(("FLOAT", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("BOOL", "INT8", "UINT8", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ"), 8),
    **dict.fromkeys(("FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"), 8),
    **dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("INT2", "UINT2"), 2),
    "COMPLEX128": 128,
}
_BITS_OF_TYPE = {
    number: _BITS[name] for name, number in TensorProto.DataType.items() if name in _BITS
}
UNKNOWN_SIZE = "its element type has no known size"


class UnknownCostError(ValueError):
    """The cost of a node is unknown. The message says why."""


class ContradictionError(UnknownCostError):
    """An operator cannot take its inputs. The shapes that the graph declares are not used then."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor, as far as it is known.

    Attributes:
        elem_type: ONNX's number of its element type; 0 when it is unknown.
        shape: Its dimensions; None when one of them is unknown.
        content: Its elements when they are few and known; otherwise None.
        is_assumed: Whether it rests on what the graph declares or on an even share of rows, which
            may be wrong, and not on what the operators compute.
        items: The tensors of a sequence, or that of an optional value; None for a tensor.
        is_constant: Whether a runtime knows it when it loads the graph, as it knows a weight.
    """

    elem_type: int
    shape: tuple[int, ...] | None
    content: NDArray[Any] | None = None
    is_assumed: bool = False
    items: "tuple[Value, ...] | None" = None
    is_constant: bool = False

    @property
    def n_bytes(self) -> int | None:
        """The size in bytes; None when the shape or the type is unknown.

        Elements narrower than a byte are packed.
        """
        if self.items is not None:
            sizes = [item.n_bytes for item in self.items]
            return None if None in sizes else sum(filter(None, sizes))
        bits = _BITS_OF_TYPE.get(self.elem_type)
        return None if self.shape is None or bits is None else -(-prod(self.shape) * bits // 8)

    @property
    def is_large(self) -> bool:
        """Whether it is known to have too many elements for its content to be kept."""
        return self.shape is not None and prod(self.shape) > MAX_KNOWN_ELEMENTS

    @property
    def key(self) -> tuple[object, ...]:
        """A key that two values share when the same is known about both."""
        content = None if self.content is None else self.content.tobytes()
        items = None if self.items is None else tuple(item.key for item in self.items)
        return self.elem_type, self.shape, content, self.is_assumed, items, self.is_constant

    @property
    def form(self) -> tuple[object, ...] | None:
        """The shape; of a sequence, those of its tensors."""
        return self.shape if self.items is None else tuple(item.form for item in self.items)

    @classmethod
    def of(cls, content: NDArray[Any]) -> "Value":
        """Return a tensor with known elements, which are kept when they are few."""
        kept = content if content.size <= MAX_KNOWN_ELEMENTS else None
        return cls(helper.np_dtype_to_tensor_dtype(content.dtype), content.shape, kept)

    @classmethod
    def of_type(cls, dtype: str, shape: tuple[int, ...]) -> "Value":
        """Return a tensor of a NumPy type whose elements are unknown."""
        return cls(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


UNKNOWN = Value(0, None)


def value_of(spec: TensorSpec) -> Value:
    """Return the tensor. Its elements are kept when they may be sizes, positions or scales.

    Scales, and limits of a range, are numbers of floating point with at most one axis.
    """
    n_elements, is_float = prod(spec.shape), spec.dtype.startswith("float")
    is_data = n_elements > MAX_KNOWN_ELEMENTS or (is_float and len(spec.shape) > 1)
    if spec.values is None or is_data:
        return Value.of_type(spec.dtype, spec.shape)
    elements = np.asarray(spec.values, dtype=spec.dtype)
    filled = np.broadcast_to(elements, (n_elements,)) if elements.size == 1 else elements
    return Value.of(filled.reshape(spec.shape))


def declared_value(
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


@dataclass(frozen=True, slots=True, eq=False)
class ShapedNode:
    """A node with its inputs and outputs.

    Attributes:
        proto: The node.
        inputs: The value of each input; None for an optional input that is left out.
        outputs: The value of each output.
        problem: The reason why an output, or what its bodies compute, is unknown; otherwise empty.
        misfit: The reason why ONNX Runtime does not run it with these inputs; otherwise empty.
        inner: The nodes of its bodies that run, with the number of times that each group runs.
        is_folded: Whether a runtime computes it once, when it loads the graph, and in no run.
    """

    proto: NodeProto
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    problem: str = ""
    misfit: str = ""
    inner: "tuple[tuple[int, tuple[ShapedNode, ...]], ...]" = ()
    is_folded: bool = False

    @property
    def op(self) -> str:
        """The name of the operator, with its domain unless that is ONNX's own."""
        return operator_name(self.proto)

    @property
    def computes_nothing(self) -> bool:
        """Return whether all outputs are empty, like those of an expert without tokens."""
        named = zip(self.proto.output, self.outputs, strict=True)
        shapes = [value.shape for name, value in named if name]
        return bool(shapes) and all(shape is not None and 0 in shape for shape in shapes)

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return the value of an attribute, or the default when the node does not have it."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has_input(self, index: int) -> bool:
        """Return whether an optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def in_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an input.

        Raises:
            UnknownCostError: The shape is unknown or the input is left out.
        """
        value = self.inputs[index] if self.has_input(index) else None
        if value is None or value.shape is None:
            raise UnknownCostError(f"the shape of input {index} is unknown")
        return value.shape

    def n_out(self) -> int:
        """Return the number of elements of the first output.

        Raises:
            UnknownCostError: The shape of the output is unknown.
        """
        if self.outputs[0].shape is None:
            raise UnknownCostError("the shape of output 0 is unknown")
        return prod(self.outputs[0].shape)

    def __str__(self) -> str:
        """Return a text with which the node can be found in a graph viewer."""
        outputs = [name for name in self.proto.output if name]
        return f"{self.op} '{self.proto.name or (outputs or [''])[0]}'"


def operator_name(node: NodeProto) -> str:
    """Return an operator's name, such as "Gemm" or "com.microsoft.FusedMatMul"."""
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def named_inputs(node: ShapedNode) -> dict[str, Value]:
    """Return the inputs that a node really has, by name."""
    pairs = zip(node.proto.input, node.inputs, strict=True)
    return {name: value for name, value in pairs if value is not None}
