"""This module counts the bytes of a graph: its weights, those that a run reads, and the peak."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from onnx import TensorProto

from profilers.costs.bodies import runs_of, visits_of
from profilers.costs.contributed_operators import is_expert_weight, touched_experts
from profilers.costs.shapes import OpenedGraph
from profilers.costs.values import ShapedNode, Value
from profilers.workload.subgraphs import all_graphs, captured_names, initialisers

# The place of a weight: a file and an offset in it, or a graph and a name in it.
Place = tuple[str, object]

_READ_WHAT_THEY_GIVE = frozenset(("Gather", "GatherElements", "GatherND", "Slice"))
_READ_NO_CONTENT = frozenset(("Shape", "Size"))


class Weights:
    """The initialisers and constants of one graph.

    Two that lie at the same place in a file count as one weight.

    Args:
        graph: The graph.
        nodes: The nodes of the graph. Constants among them, and in bodies that run, are weights
            too.

    Attributes:
        n_bytes: The size of every weight that the file holds in bytes, by its place.
        held: The same of every weight that a runtime keeps: what folded nodes give, instead of
            what only they read.
        unknown: The names of the weights whose size is unknown.
    """

    def __init__(self, graph: OpenedGraph, nodes: Sequence[ShapedNode]) -> None:
        self.n_bytes: dict[Place, int] = {}
        self.unknown: list[str] = []
        self._places: dict[str, Place] = {}
        for tensor in initialisers(graph.graph):
            self._add(tensor.name, _place(tensor, graph.path), _tensor_bytes(tensor))
        for node in (node for node, _ in runs_of(nodes) if is_constant(node)):
            name = node.proto.output[0]
            self._add(name, (str(graph.path), name), node.outputs[0].n_bytes)
        self.held = self._held(graph, nodes)

    def read_by(self, nodes: Iterable[ShapedNode]) -> int:
        """Return the bytes of weights that these nodes read.

        A node with empty outputs reads nothing. A node that gathers rows reads as many bytes as
        its output has.
        """
        read: dict[Place, int] = {}
        for node, _ in runs_of(nodes):
            if node.computes_nothing or node.op in _READ_NO_CONTENT:
                continue
            experts = touched_experts(node)
            for index, name in enumerate(node.proto.input):
                if name not in self._places:
                    continue
                place = self._places[name]
                whole = self.held[place]
                if experts and is_expert_weight(node, index):
                    whole = whole * experts[0] // experts[1]
                given = node.outputs[0].n_bytes if node.op in _READ_WHAT_THEY_GIVE else None
                wanted = whole if given is None or name != node.proto.input[0] else given
                read[place] = min(whole, read.get(place, 0) + wanted)
        return sum(read.values())

    def _held(self, graph: OpenedGraph, nodes: Sequence[ShapedNode]) -> dict[Place, int]:
        """Return what a runtime keeps after it has folded nodes."""
        needed = {name for node, _ in runs_of(nodes) for name in node.proto.input}
        needed |= {value.name for each in all_graphs(graph.graph) for value in each.output}
        held, only_folded = dict(self.n_bytes), set()
        for node, _ in visits_of(nodes):
            if not node.is_folded:
                continue
            only_folded |= {self._places[x] for x in node.proto.input if x in self._places}
            for name, value in zip(node.proto.output, node.outputs, strict=True):
                if name in needed:
                    self._places[name] = (str(graph.path), name)
                    held[self._places[name]] = value.n_bytes or 0
        kept = {place for name, place in self._places.items() if name in needed}
        return {place: size for place, size in held.items() if place not in only_folded - kept}

    def _add(self, name: str, place: Place, n_bytes: int | None) -> None:
        self._places[name] = place
        self.n_bytes[place] = n_bytes or 0
        if n_bytes is None:
            self.unknown.append(name)


def is_constant(node: ShapedNode) -> bool:
    """Return whether a node only holds a weight."""
    return node.op == "Constant"


def activation_bytes(nodes: Iterable[ShapedNode]) -> int:
    """Return the bytes of all outputs of the nodes, without constants, which are weights."""
    runs = ((node, times) for node, times in runs_of(nodes) if not is_constant(node))
    return sum(times * sum(_output_bytes(node)) for node, times in runs)


def peak_live_bytes(
    nodes: Sequence[ShapedNode], inputs: Mapping[str, Value], outputs: Iterable[str]
) -> int:
    """Return the most bytes that inputs and activations take at once, in the nodes' order.

    The caller keeps the inputs all the time, and the outputs to the end. A node's inputs and
    outputs exist together, because nothing is computed in place.
    """
    last_use = {
        name: i
        for i, node in enumerate(nodes)
        for name in (*node.proto.input, *captured_names(node.proto))
    }
    last_use |= dict.fromkeys(outputs, len(nodes))
    live = peak = sum(value.n_bytes or 0 for value in inputs.values())
    freed = [0] * (len(nodes) + 1)
    for i, node in enumerate(nodes):
        if not (node.is_folded or is_constant(node)):
            for name, n_bytes in zip(node.proto.output, _output_bytes(node), strict=True):
                live += n_bytes
                freed[last_use.get(name, i)] += n_bytes
        inside = max((activation_bytes(nodes) for _, nodes in node.inner), default=0)
        peak = max(peak, live + inside)
        live -= freed[i]
    return peak


def _output_bytes(node: ShapedNode) -> list[int]:
    return [value.n_bytes or 0 for value in node.outputs]


def _place(tensor: TensorProto, graph: Path) -> Place:
    if tensor.data_location != TensorProto.EXTERNAL:
        return str(graph), tensor.name
    where = {entry.key: entry.value for entry in tensor.external_data}
    return str((graph.parent / where.get("location", "")).resolve()), int(where.get("offset", 0))


def _tensor_bytes(tensor: TensorProto) -> int | None:
    if tensor.data_type == TensorProto.STRING:
        return sum(map(len, tensor.string_data))
    return Value(tensor.data_type, tuple(tensor.dims)).n_bytes
