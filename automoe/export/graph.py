"""Writing an ONNX graph node by node.

Legend: T tokens, I and O widths in and out, D width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from automoe.export.weights import WeightSource

OPSET = 17  # the first with LayerNormalization
Dimension = int | str


class GraphBuilder:
    """Collects nodes and initialisers; every method returns the name of what it adds."""

    def __init__(self, name: str, weights: WeightSource) -> None:
        self._name = name
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int, shape: Sequence[Dimension]) -> str:
        """Declare an input of an ONNX element type and shape; names are symbolic dimensions."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Sequence[Dimension]) -> None:
        """Publish a value under a name of its own."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        return self.ops(kind, *inputs, n_outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, n_outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        index = len(self._nodes)
        outputs = [f"{kind}_{index}_{i}" for i in range(n_outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def integers(self, *values: int) -> str:
        """A constant vector of int64."""
        name = "int64_" + "_".join(str(value) for value in values)
        tensor = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        self._initialisers.setdefault(name, tensor)
        return name

    def scalar(self, value: float) -> str:
        """A constant float32 scalar."""
        name = f"float_{value!r}"
        self._initialisers.setdefault(
            name, helper.make_tensor(name, TensorProto.FLOAT, [], [value])
        )
        return name

    def weight(self, name: str, *shape: int) -> str:
        """A weight of the model."""
        if name not in self._initialisers:
            self._initialisers[name] = self._weights.initialiser(name, shape)
        return name

    def linear(self, x_TI: str, name: str, in_dim: int, out_dim: int) -> str:
        """``[T, I]`` to ``[T, O]`` with the weight ``[O, I]`` and the bias of a module."""
        weight_OI = self.weight(f"{name}.weight", out_dim, in_dim)
        return self.op("Gemm", x_TI, weight_OI, self.weight(f"{name}.bias", out_dim), transB=1)

    def norm(self, x_TD: str, name: str, dim: int) -> str:
        """Layer norm over D."""
        gain_D, bias_D = self.weight(f"{name}.weight", dim), self.weight(f"{name}.bias", dim)
        return self.op("LayerNormalization", x_TD, gain_D, bias_D, axis=-1, epsilon=1e-5)

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; 0 keeps a dimension, -1 is what remains."""
        return self.op("Reshape", x, self.integers(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """Reorder the dimensions."""
        return self.op("Transpose", x, perm=list(order))

    def save(self, path: Path) -> None:
        """Write the graph; initialisers stay in the weights' own file beside it."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            list(self._initialisers.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="automoe"
        )
        model.ir_version = 8  # what opset 17 came with: old runtimes refuse newer files
        path.write_bytes(model.SerializeToString())
