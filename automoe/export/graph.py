"""This module writes an ONNX graph node by node.

Legend: T tokens, I and O widths in and out, D width.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from automoe.deployed.graph_files import OPSETS
from automoe.export.integer_weights import BITS, BLOCK
from automoe.export.weights import DATA_TYPES, WeightSource

EPSILON = 1e-5
_CONTRIBUTED = "com.microsoft"  # the domain of ONNX Runtime's own operators
_INTEGER_ACTIVATIONS = 4  # of MatMulNBits: 8-bit activations, much faster than float32
Dimension = int | str
Range = tuple[int, int, int]  # the smallest, the typical and the largest size
ShapeRange = tuple[tuple[int, ...], ...]  # the smallest, the typical and the largest shape
# The value of one step of an 8-bit integer; an array has one value for each output of a weight.
Step = float | NDArray[np.float32]
# A function of a weight's name. It returns the step of its activations and its own.
Int8Steps = Callable[[str], tuple[float, Step]]


@dataclass(frozen=True, slots=True)
class TensorRtForm:
    """A form of graphs whose operators the parser of every TensorRT since 8.5 takes.

    Attributes:
        n_tokens: The number of tokens of a typical run, which decides the form of sparse layers.
            See ``automoe/export/tensorrt_experts.py``.
        int8: The steps of the products that multiply 8-bit integers, or None when none does. The
            products of routers and gathered experts never do.
    """

    n_tokens: int
    int8: Int8Steps | None = None


class GraphBuilder:
    """A graph that is being written. A method that adds a value returns the value's name.

    Args:
        name: The graph's name.
        weights: The source of the initialisers. The activations have the type of those that are
            not integers.
        tensorrt: The form for TensorRT, or None for ONNX Runtime.

    Attributes:
        precision: The precision of the weights.
        products: The products that may multiply 8-bit integers. The key is the weight's name, the
            value is the activation's name and the weight's axis of outputs.
    """

    def __init__(
        self, name: str, weights: WeightSource, tensorrt: TensorRtForm | None = None
    ) -> None:
        self.tensorrt = tensorrt
        self.precision = weights.precision
        self.float_type = DATA_TYPES[weights.precision]
        self.products: dict[str, tuple[str, int]] = {}
        self._name = name
        self._rounded_values: dict[tuple[str, str], str] = {}
        self._rounded_activations: dict[str, list[str]] = {}
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._added: dict[tuple[Any, ...], str] = {}
        self._initialisers: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._published: dict[str, str] = {}  # the names that values have as outputs

    def input(self, name: str, dtype: int, shape: Sequence[Dimension]) -> str:
        """Declare an input of an ONNX element type. A name in its shape is a symbolic dimension.

        An input that is declared again is the same.
        """
        declared = helper.make_tensor_value_info(name, dtype, shape)
        if declared not in self._inputs:
            self._inputs.append(declared)
        return name

    def shape_ranges(self, sizes: Mapping[str, Range]) -> dict[str, ShapeRange]:
        """Return the smallest, typical and largest shape of every input.

        ``sizes`` has the range of each symbolic dimension.
        """
        shapes = {
            value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in self._inputs
        }
        return {
            name: tuple(
                tuple(size if isinstance(size, int) else sizes[size][i] for size in shape)
                for i in range(3)
            )
            for name, shape in shapes.items()
        }

    def output(self, value: str, name: str, dtype: int, shape: Sequence[Dimension]) -> None:
        """Declare a value as an output of the graph with a name of its own.

        The node that computes the value writes it under that name, because runtimes copy what an
        Identity passes on. A value that is already an output is copied.
        """
        if value in self._published or value in self._given():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        else:
            self._published[value] = name
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def _given(self) -> set[str]:
        """Return the names of values that no node computes."""
        return {value.name for value in self._inputs} | self._initialisers.keys()

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        return self.ops(kind, *inputs, n_outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, n_outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        index = len(self._nodes)
        outputs = [f"{kind}_{index}_{i}" for i in range(n_outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def once(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, unless the same node was added before."""
        key = (kind, *inputs, *attributes.items())
        if key not in self._added:
            self._added[key] = self.op(kind, *inputs, **attributes)
        return self._added[key]

    def integers(self, *values: int) -> str:
        """Add a constant vector of int64."""
        name = "int64_" + "_".join(str(value) for value in values)
        tensor = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        self._initialisers.setdefault(name, tensor)
        return name

    def scalar(self, value: float, data_type: int | None = None) -> str:
        """Add a constant scalar, by default of the activations' type."""
        data_type = self.float_type if data_type is None else data_type
        name = f"float_{value!r}" + ("" if data_type == TensorProto.FLOAT else "_half")
        self._initialisers.setdefault(name, helper.make_tensor(name, data_type, [], [value]))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant that is stored in the graph itself."""
        self._initialisers.setdefault(name, numpy_helper.from_array(values, name))
        return name

    def as_float32(self, x: str) -> str:
        """Cast an activation to float32, for steps that need its precision."""
        return self._cast(x, TensorProto.FLOAT)

    def as_activation(self, x: str) -> str:
        """Cast a value of float32 to the activations' type."""
        return self._cast(x, self.float_type)

    def _cast(self, x: str, to: int) -> str:
        is_half = self.float_type != TensorProto.FLOAT
        return self.op("Cast", x, to=to) if is_half else x

    def weight(self, name: str, *shape: int) -> str:
        """Add a weight of the model."""
        if name not in self._initialisers:
            self._initialisers[name] = self._weights.initialiser(name, shape)
        return name

    def linear(
        self, x_TI: str, name: str, in_dim: int, out_dim: int, *, exact: bool = False
    ) -> str:
        """Map ``[T, I]`` to ``[T, O]`` with the weight ``[O, I]`` and the bias of a module.

        An ``exact`` product never multiplies integers.
        """
        weight, bias_O = f"{name}.weight", self.weight(f"{name}.bias", out_dim)
        if exact:
            return self.op("Gemm", x_TI, self.weight(weight, out_dim, in_dim), bias_O, transB=1)
        return self.product(x_TI, weight, (out_dim, in_dim), bias_O)

    def product(self, x_TI: str, name: str, shape: tuple[int, int], bias_O: str = "") -> str:
        """Multiply ``[T, I]`` by the transpose of a weight ``[O, I]``, and add a bias if given."""
        if self.tensorrt is None and self.precision == "int8":
            return self.product_of_integers(x_TI, *self.integer_weight(name, shape), bias_O)
        if self.tensorrt is None and self.precision in BITS:
            return self._product_of_blocks(x_TI, name, shape, bias_O)
        factors = self.quantised(x_TI, self.weight(name, *shape), outputs=0)
        return self.op("Gemm", *factors, *filter(None, [bias_O]), transB=1)

    def product_of_integers(self, x_TI: str, integer_IO: str, step_O: str, bias_O: str = "") -> str:
        """Write the nodes that ONNX Runtime fuses to one product of 8-bit integers."""
        if x_TI not in self._rounded_activations:
            self._rounded_activations[x_TI] = self.ops("DynamicQuantizeLinear", x_TI, n_outputs=3)
        rounded_TI, step, zero = self._rounded_activations[x_TI]
        sum_TO = self.op("MatMulInteger", rounded_TI, integer_IO, zero)
        float_TO = self.op("Cast", sum_TO, to=TensorProto.FLOAT)
        product_TO = self.op("Mul", float_TO, self.op("Mul", step, step_O))
        return self.op("Add", product_TO, bias_O) if bias_O else product_TO

    def _product_of_blocks(self, x_TI: str, name: str, shape: tuple[int, int], bias_O: str) -> str:
        integers, steps = self.integer_weight(name, shape)
        product_TO = self.op(
            "MatMulNBits",
            *(x_TI, integers, steps),
            domain=_CONTRIBUTED,
            N=shape[0],
            K=shape[1],
            bits=BITS[self.precision],
            block_size=BLOCK,
            accuracy_level=_INTEGER_ACTIVATIONS,
        )
        return self.op("Add", product_TO, bias_O) if bias_O else product_TO

    def integer_weight(self, name: str, shape: tuple[int, int]) -> tuple[str, str]:
        """Add a weight of the model as integers and their steps."""
        named = self._weights.integers(name, shape)
        self._initialisers.update((each.name, each) for each in named)
        return named[0].name, named[1].name

    def quantised(self, x: str, weight: str, *, outputs: int) -> tuple[str, str]:
        """Return both factors of a product, rounded to 8-bit integers if the graph is int8.

        Args:
            x: The name of the activation.
            weight: The name of the weight, which is a matrix.
            outputs: The axis of the weight's outputs.
        """
        self.products[weight] = (x, outputs)
        if self.tensorrt is None or self.tensorrt.int8 is None:
            return x, weight
        step, steps = self.tensorrt.int8(weight)
        rounded = self._rounded(x, step, self.scalar(step))
        if isinstance(steps, float):
            return rounded, self._rounded(weight, steps, self.scalar(steps))
        named = self.constant(f"{weight}.step", steps)
        return rounded, self._rounded(weight, steps, named, axis=outputs)

    def _rounded(self, x: str, step: Step, name: str, **axis: int) -> str:
        """Round ``x`` to steps. Products that need the same steps share the rounded value."""
        if (x, name) not in self._rounded_values:
            zeros = np.zeros(np.shape(step), np.int8)
            zero = self.constant("_".join(map(str, ("int8_0", *zeros.shape))), zeros)
            integers = self.op("QuantizeLinear", x, name, zero, **axis)
            dequantised = self.op("DequantizeLinear", integers, name, zero, **axis)
            self._rounded_values[x, name] = dequantised
        return self._rounded_values[x, name]

    def norm(self, x_TD: str, name: str, dim: int) -> str:
        """Add a layer norm over D."""
        gain_D, bias_D = self.weight(f"{name}.weight", dim), self.weight(f"{name}.bias", dim)
        if self.tensorrt is None:
            return self.op("LayerNormalization", x_TD, gain_D, bias_D, axis=-1, epsilon=EPSILON)
        return self._written_out_norm(x_TD, gain_D, bias_D)

    def _written_out_norm(self, x_TD: str, gain_D: str, bias_D: str) -> str:
        """Write the norm as several nodes in float32.

        TensorRT 8.5 has no node for it, and squares may overflow in float16.
        """
        x_TD, gain_D, bias_D = map(self.as_float32, (x_TD, gain_D, bias_D))
        mean_T1 = self.op("ReduceMean", x_TD, axes=[-1], keepdims=1)
        centred_TD = self.op("Sub", x_TD, mean_T1)
        square_TD = self.op("Mul", centred_TD, centred_TD)
        variance_T1 = self.op("ReduceMean", square_TD, axes=[-1], keepdims=1)
        padded_T1 = self.op("Add", variance_T1, self.scalar(EPSILON, TensorProto.FLOAT))
        normed_TD = self.op("Div", centred_TD, self.op("Sqrt", padded_T1))
        scaled_TD = self.op("Mul", normed_TD, gain_D)
        return self.as_activation(self.op("Add", scaled_TD, bias_D))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape a value; 0 keeps a dimension, and -1 takes what remains."""
        return self.op("Reshape", x, self.integers(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """Reorder the dimensions."""
        return self.op("Transpose", x, perm=list(order))

    def save(self, path: Path) -> None:
        """Write the graph without its weights, which are in a file beside it."""
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        for node in nodes:
            for names in (node.input, node.output):
                names[:] = [self._published.get(name, name) for name in names]
        graph = helper.make_graph(
            nodes,
            self._name,
            self._inputs,
            self._outputs,
            list(self._initialisers.values()),
        )
        domains = dict.fromkeys(["", *(node.domain for node in self._nodes)])
        opsets = [helper.make_opsetid(domain, OPSETS[domain]) for domain in domains]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="automoe")
        model.ir_version = 8  # the version of opset 17; old runtimes do not read newer files
        path.write_bytes(model.SerializeToString())
