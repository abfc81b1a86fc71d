"""This module counts what one run of an ONNX graph costs, without running it.

The FLOPs are those of matrix products, convolutions, recurrence and fused attention. A
multiply-add counts as two. `profilers.costs.operator_flops` lists what is not counted. The
contents of weights in separate files are not read, only their sizes.

A graph with experts divides the tokens among them by a `Split` whose sizes it computes from data.
The caller may give the number of tokens of each expert. By default all experts get equally many.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.workload.declared_inputs import Shapes
from profilers.workload.fields import WorkloadError
from profilers.workload.from_onnx import NO_VALUES, OnnxWorkload, open_onnx_workload
from profilers.workload.given_values import GivenValues

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import NodeProto

    from profilers.costs.memory import Weights
    from profilers.costs.shapes import OpenedGraph
    from profilers.costs.values import ShapedNode, Value


@dataclass(frozen=True, slots=True)
class GraphCosts:
    """The costs of one run. They are lower bounds when `unknown_nodes` is not empty.

    Attributes:
        flops: The number of FLOPs; a multiply-add counts as two. Nodes that are folded run no
            more, see `profilers.costs.folding`.
        weight_bytes: The bytes of initialisers and constants as the file holds them; a shared one
            counts once.
        touched_weight_bytes: The bytes of weights that are read. An expert without tokens is not
            read. Of an embedding table, only the rows that are looked up are read. What folded
            nodes give is read in place of what they take.
        activation_bytes: The bytes of all outputs of nodes, as if no memory was reused.
        peak_memory_bytes: The bytes of all weights after folding, plus the most bytes that inputs
            and activations take at once when each is freed after its last use. A runtime needs
            more.
        operators: The number of nodes of each operator that a run visits. Those in a loop count
            once for each repetition; of a branch, those that are taken count.
        unknown_nodes: The nodes whose shapes or FLOPs are unknown, each with the reason.
        folded_flops: The FLOPs of the nodes that are folded. They are not among `flops`.
    """

    flops: int
    weight_bytes: int
    touched_weight_bytes: int
    activation_bytes: int
    peak_memory_bytes: int
    operators: Mapping[str, int]
    unknown_nodes: tuple[str, ...] = ()
    folded_flops: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that ``automoe cost --json`` prints."""
        return {**asdict(self), "unknown_nodes": list(self.unknown_nodes)}


def costs_of_graph(
    path: Path,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Shapes | None = None,
    values: Mapping[str, GivenValues] = NO_VALUES,
    tokens_per_segment: Sequence[Sequence[int]] | None = None,
) -> GraphCosts:
    """Return the costs of one run of the ONNX file at `path`.

    Args:
        path: The file.
        dims: The sizes of the symbolic dimensions, by name. A missing one has the size 1.
        shapes: Whole shapes, by the input's name.
        values: The values of inputs, by name. Others are chosen, see `open_onnx_workload`.
        tokens_per_segment: The rows of every output of each Split whose sizes the graph computes
            from data, in the graph's order. By default they are as equal as whole numbers allow,
            and the first outputs get the remaining rows.

    Raises:
        WorkloadError: The file is not ONNX, sizes do not match the graph, or the inputs of a node
            do not fit each other.
        OSError: The file cannot be read.
    """
    opened = open_onnx_workload(path, dims=dims, shapes=shapes, values=values)
    return costs_of_opened(opened, path, tokens_per_segment=tokens_per_segment)


def costs_of_opened(
    opened: OnnxWorkload,
    path: Path,
    *,
    tokens_per_segment: Sequence[Sequence[int]] | None = None,
    graph: "OpenedGraph | None" = None,
) -> GraphCosts:
    """Return the costs of one run of a graph whose inputs are decided, see `costs_of_graph`.

    A caller that asks for more than one figure gives the opened `graph`, which keeps its shapes.
    """
    graph, inputs = graph or _graph_of(opened, path), _values_of(opened)
    given = None if tokens_per_segment is None else _GivenRows(tokens_per_segment, path)
    costs = costs_of_nodes(graph, graph.shaped_nodes(inputs, given or even_rows), inputs)
    if given:
        given.require_all_used()
    return costs


def deciding_inputs(
    opened: OnnxWorkload, path: Path, *, graph: "OpenedGraph | None" = None
) -> tuple[str, ...]:
    """Return the inputs whose values decide what a graph computes: its FLOPs or its branch.

    Without such a value, the FLOPs are others or unknown. See `costs_of_opened` for `graph`.
    """
    from profilers.costs.bodies import runs_of
    from profilers.costs.values import Value

    opened_graph, inputs = graph or _graph_of(opened, path), _values_of(opened)

    def counted(values: "Mapping[str, Value]") -> tuple[object, ...]:
        flops, unknown = _count(nodes := opened_graph.shaped_nodes(values, even_rows))
        return flops, len(unknown), [(node.op, times) for node, times in runs_of(nodes)]

    valued = [name for name, value in inputs.items() if value.content is not None]
    if not valued:
        return ()
    known = counted(inputs)
    return tuple(
        name
        for name in valued
        if known != counted({**inputs, name: Value(inputs[name].elem_type, inputs[name].shape)})
    )


def _graph_of(opened: OnnxWorkload, path: Path) -> "OpenedGraph":
    from profilers.costs.shapes import OpenedGraph

    return OpenedGraph(path, opened.model)


def _values_of(opened: OnnxWorkload) -> "dict[str, Value]":
    """Return the value of each input. Of an input that cannot be fed, the shape is enough."""
    from profilers.costs.values import Value, value_of

    (call,) = opened.workload.calls
    return {
        each.name: value_of(call.inputs[each.name])
        if each.name in call.inputs
        else Value(each.elem_type, opened.shapes[each.name])
        for each in opened.inputs
    }


def even_rows(split: "NodeProto", n_segments: int, n_rows: int) -> tuple[int, ...]:
    """Return numbers of rows that are as equal as possible; the first segments get the rest."""
    share, rest = divmod(n_rows, n_segments)
    return tuple(share + (i < rest) for i in range(n_segments))


def costs_of_nodes(
    graph: "OpenedGraph",
    nodes: "Sequence[ShapedNode]",
    inputs: "Mapping[str, Value]",
    weights: "Weights | None" = None,
) -> GraphCosts:
    """Return the costs of a graph from its nodes, whose shapes are known.

    A caller that needs the weights too gives them.

    Raises:
        WorkloadError: The inputs of a node do not fit each other.
    """
    from profilers.costs.bodies import runs_of
    from profilers.costs.folding import folded_flops
    from profilers.costs.memory import Weights, activation_bytes, peak_live_bytes
    from profilers.costs.values import UNKNOWN_SIZE

    for node in nodes:
        if node.misfit:
            raise WorkloadError(
                f"{graph.path}: {node.misfit}. Give other shapes or values with --input-shape or "
                f"--input, or correct the graph."
            )
    weights = weights or Weights(graph, nodes)
    flops, unknown = _count(nodes)
    operators: Counter[str] = Counter()
    for node, times in runs_of(nodes):
        operators[node.op] += times
    outputs = [value.name for value in graph.graph.output]
    return GraphCosts(
        flops=flops,
        weight_bytes=sum(weights.n_bytes.values()),
        touched_weight_bytes=weights.read_by(nodes),
        activation_bytes=activation_bytes(nodes),
        peak_memory_bytes=sum(weights.held.values()) + peak_live_bytes(nodes, inputs, outputs),
        operators=dict(operators.most_common()),
        unknown_nodes=(
            *unknown,
            *(f"weight '{x}': {UNKNOWN_SIZE}" for x in weights.unknown),
            *(f"input '{x}': {UNKNOWN_SIZE}" for x, y in inputs.items() if y.n_bytes is None),
        ),
        folded_flops=folded_flops(nodes),
    )


def _count(nodes: "Sequence[ShapedNode]") -> tuple[int, list[str]]:
    from profilers.costs.bodies import runs_of
    from profilers.costs.operator_flops import flops_of
    from profilers.costs.values import UnknownCostError

    flops, unknown = 0, []
    for node, times in runs_of(nodes):
        reasons = [node.problem] if node.problem else []
        try:
            flops += times * flops_of(node)
        except UnknownCostError as error:
            reasons.append(str(error))
        if reasons:
            unknown.append(f"{node}: {'; '.join(dict.fromkeys(reasons))}")
    return flops, unknown


class _GivenRows:
    """The given rows of each Split in turn, checked against the Split."""

    def __init__(self, rows: Sequence[Sequence[int]], path: Path) -> None:
        self._rows = rows
        self._path = path
        self._n_used = 0

    def __call__(self, split: "NodeProto", n_segments: int, n_rows: int) -> tuple[int, ...]:
        index = self._n_used
        self._n_used += 1
        if index >= len(self._rows):
            return even_rows(split, n_segments, n_rows)  # require_all_used will refuse
        rows = tuple(self._rows[index])
        if len(rows) != n_segments or sum(rows) != n_rows or min(rows) < 0:
            raise WorkloadError(
                f"'tokens_per_segment' number {index} must hold {n_segments} numbers that add up "
                f"to {n_rows}, for the Split of '{split.input[0]}' in {self._path}. Got {rows}."
            )
        return rows

    def require_all_used(self) -> None:
        """Check that there are as many entries as Splits with computed sizes."""
        if self._n_used != len(self._rows):
            raise WorkloadError(
                f"'tokens_per_segment' must have one entry for each Split with computed sizes; "
                f"{self._path} has {self._n_used}. Got {len(self._rows)}."
            )
