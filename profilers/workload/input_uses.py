"""This module tells what a graph does with its inputs."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import prod

from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

from profilers.workload.subgraphs import all_nodes

# Operators that pass the elements of their first input on, or some of them.
_PASS_ON = frozenset(
    (
        *("Cast", "CastLike", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose"),
        *("Unsqueeze", "Gather", "ReduceMax", "ReduceMin", "Slice", "Split"),
    )
)


@dataclass(frozen=True, slots=True)
class Use:
    """A node that takes the elements of an input, and the place at which it takes them."""

    node: NodeProto
    place: int

    @property
    def key(self) -> tuple[str, int]:
        """The operator and the place."""
        return self.node.op_type, self.place

    @property
    def time_axis(self) -> int | None:
        """The axis of the node's first input whose length is taken here; None when none is."""
        numbers = {attribute.name: attribute.i for attribute in self.node.attribute}
        if self.key in (("LSTM", 4), ("GRU", 4), ("RNN", 4)):
            return int(numbers.get("layout", 0))
        return int(numbers.get("time_axis", 0)) if self.key == ("ReverseSequence", 1) else None


class InputUses:
    """The uses of the inputs of one graph.

    Args:
        graph: The graph. The nodes of its branches and loops count too.
    """

    def __init__(self, graph: GraphProto) -> None:
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._uses: dict[str, list[Use]] = {}
        for node in all_nodes(graph):
            if node.op_type == "Constant":
                tensors = [x.t for x in node.attribute if x.name == "value"]
                self._weights |= dict(zip(node.output, tensors, strict=False))
            for place, name in enumerate(node.input):
                self._uses.setdefault(name, []).append(Use(node, place))

    def of(self, name: str) -> list[Use]:
        """Return the uses of a value, also behind operators that pass its elements on."""
        names, uses = [name], []
        for each in names:
            for use in self._uses.get(each, ()):
                if use.place or use.node.op_type not in _PASS_ON:
                    uses.append(use)
                else:
                    names += [output for output in use.node.output if output not in names]
        return uses

    def table_rows(self, uses: Iterable[Use]) -> int | None:
        """Return the rows of the smallest table of weights that is indexed; None without one."""
        sizes = [n_rows for use in uses if (n_rows := self._rows(use)) is not None]
        return min(sizes, default=None)

    def _rows(self, use: Use) -> int | None:
        inputs = [*use.node.input, "", "", ""]
        if use.key == ("EmbedLayerNormalization", 0):
            table, axis = self._weights.get(inputs[2]), 0
        elif use.key == ("Gather", 1):
            table = self._weights.get(inputs[0])
            axis = next((x.i for x in use.node.attribute if x.name == "axis"), 0)
        else:
            return None
        return table.dims[axis] if table is not None and axis < len(table.dims) else None

    def compared_with(self, uses: Iterable[Use]) -> list[int]:
        """Return the integer constants that the graph compares an input with."""
        return [number for use in uses for number in self._compared(use)]

    def _compared(self, use: Use) -> Iterator[int]:
        if use.node.op_type != "Equal" or len(use.node.input) != 2:
            return
        tensor = self._weights.get(use.node.input[1 - use.place])
        integers = (TensorProto.INT32, TensorProto.INT64)
        if tensor is None or tensor.data_type not in integers or prod(tensor.dims) != 1:
            return
        if tensor.data_location != TensorProto.EXTERNAL:
            with suppress(ValueError, IndexError):  # it holds no data
                yield int(numpy_helper.to_array(tensor).ravel()[0])
