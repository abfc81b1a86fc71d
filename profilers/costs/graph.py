"""What one run of an ONNX graph costs, counted without running it.

FLOPs are those of matrix products, convolutions, recurrence and fused attention; a multiply-add
counts twice. `profilers.costs.operator_flops` says what is not counted. Weights in files of their
own are not read, only their sizes.

A graph that serves tokens by experts cuts them by a `Split` whose sizes it computes from data.
Which expert gets how many is part of the question; unless it is told, they get equally many.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.workload.fields import WorkloadError
from profilers.workload.from_onnx import Shapes, workload_for_onnx

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import NodeProto

    from profilers.costs.memory import Weights
    from profilers.costs.shapes import OpenedGraph
    from profilers.costs.values import ShapedNode, Value


@dataclass(frozen=True, slots=True)
class GraphCosts:
    """Costs of a run; lower bounds where `unknown_nodes` is not empty.

    Attributes:
        flops: Operations; a multiply-add counts twice.
        weight_bytes: Initialisers and constants; a shared one counts once.
        touched_weight_bytes: Those that are read: none of an expert without tokens, and of an
            embedding table the rows looked up.
        activation_bytes: Everything that nodes put out, as if nothing was reused.
        peak_memory_bytes: All weights, and the most that inputs and activations take at once
            when each is freed after its last use. A runtime needs more for itself.
        operators: How many nodes there are of each operator.
        unknown_nodes: Each node whose shapes or FLOPs are unknown, with the reason.
    """

    flops: int
    weight_bytes: int
    touched_weight_bytes: int
    activation_bytes: int
    peak_memory_bytes: int
    operators: Mapping[str, int]
    unknown_nodes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that ``automoe cost --json`` prints."""
        return {**asdict(self), "unknown_nodes": list(self.unknown_nodes)}


def costs_of_graph(
    path: Path,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Shapes | None = None,
    tokens_per_segment: Sequence[Sequence[int]] | None = None,
) -> GraphCosts:
    """Return the costs of one run of the ONNX file at `path`.

    Args:
        path: The file.
        dims: Sizes of the symbolic dimensions, by name. Those not given are 1.
        shapes: Whole shapes, by the input's name.
        tokens_per_segment: For each Split whose sizes the graph computes from data, in the
            graph's order: the rows of every output. By default they are as equal as whole
            numbers allow, the first outputs getting what remains.

    Raises:
        WorkloadError: The file is not ONNX, or sizes do not suit the graph.
        OSError: The file cannot be read.
    """
    from profilers.costs.shapes import OpenedGraph
    from profilers.costs.values import Value

    (call,) = workload_for_onnx(path, dims=dims, shapes=shapes).calls
    graph = OpenedGraph(path)
    inputs = {name: Value.of_type(x.dtype, x.shape) for name, x in call.inputs.items()}
    given = None if tokens_per_segment is None else _GivenRows(tokens_per_segment, path)
    costs = costs_of_nodes(graph, graph.shaped_nodes(inputs, given or even_rows), inputs)
    if given:
        given.require_all_used()
    return costs


def even_rows(split: "NodeProto", n_segments: int, n_rows: int) -> tuple[int, ...]:
    """Return rows shared as equally as whole numbers allow; the first segments get the rest."""
    share, rest = divmod(n_rows, n_segments)
    return tuple(share + (i < rest) for i in range(n_segments))


def costs_of_nodes(
    graph: "OpenedGraph", nodes: "Sequence[ShapedNode]", inputs: "Mapping[str, Value]"
) -> GraphCosts:
    """Return the costs of a graph from its nodes with their shapes."""
    from profilers.costs.memory import Weights, activation_bytes, peak_live_bytes

    weights = Weights(graph, nodes)
    flops, unknown = _count(nodes)
    outputs = [value.name for value in graph.graph.output]
    weight_bytes = sum(weights.n_bytes.values())
    return GraphCosts(
        flops=flops,
        weight_bytes=weight_bytes,
        touched_weight_bytes=weights.read_by(nodes),
        activation_bytes=activation_bytes(nodes),
        peak_memory_bytes=weight_bytes + peak_live_bytes(nodes, inputs, outputs),
        operators=dict(Counter(node.op for node in nodes).most_common()),
        unknown_nodes=(*unknown, *_unknown_weights(weights)),
    )


def _count(nodes: "Sequence[ShapedNode]") -> tuple[int, list[str]]:
    from profilers.costs.operator_flops import flops_of
    from profilers.costs.values import UnknownCostError

    flops, unknown = 0, []
    for node in nodes:
        reasons = [node.problem] if node.problem else []
        try:
            flops += flops_of(node)
        except UnknownCostError as error:
            reasons.append(str(error))
        if reasons:
            unknown.append(f"{node}: {'; '.join(dict.fromkeys(reasons))}")
    return flops, unknown


def _unknown_weights(weights: "Weights") -> list[str]:
    return [f"weight '{name}': its element type has no known size" for name in weights.unknown]


class _GivenRows:
    """The rows of each Split in turn, checked against it."""

    def __init__(self, rows: Sequence[Sequence[int]], path: Path) -> None:
        self._rows = rows
        self._path = path
        self._n_used = 0

    def __call__(self, split: "NodeProto", n_segments: int, n_rows: int) -> tuple[int, ...]:
        index = self._n_used
        self._n_used += 1
        if index >= len(self._rows):
            return even_rows(split, n_segments, n_rows)  # refused by require_all_used
        rows = tuple(self._rows[index])
        if len(rows) != n_segments or sum(rows) != n_rows or min(rows) < 0:
            raise WorkloadError(
                f"'tokens_per_segment' number {index} must hold {n_segments} numbers that add up "
                f"to {n_rows}, for the Split of '{split.input[0]}' in {self._path}. Got {rows}."
            )
        return rows

    def require_all_used(self) -> None:
        """Refuse more or fewer entries than the graph has such Splits."""
        if self._n_used != len(self._rows):
            raise WorkloadError(
                f"'tokens_per_segment' must have one entry for each Split with computed sizes; "
                f"{self._path} has {self._n_used}. Got {len(self._rows)}."
            )
