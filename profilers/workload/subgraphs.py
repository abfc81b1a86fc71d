"""This module visits the graphs within a graph, and the tensors that all of them store."""

from collections.abc import Iterator, Mapping
from itertools import count
from math import prod

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
)

# The content of a tensor is kept up to this number of elements. Shapes, axes and sizes have fewer.
MAX_KNOWN_ELEMENTS = 1024


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the bodies of a loop or a branch."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def has_bodies(node: NodeProto) -> bool:
    """Return whether a node is a loop or a branch."""
    return next(bodies(node), None) is not None


def captured_names(node: NodeProto) -> Iterator[str]:
    """Yield the names of the values that the bodies of a node take, from any graph."""
    for body in bodies(node):
        for inner in body.node:
            yield from inner.input
            yield from captured_names(inner)
        yield from (value.name for value in body.output)


def needed_nodes(graph: GraphProto) -> frozenset[int]:
    """Return the places of the nodes that make an output of the graph, in however many steps."""
    needed = {value.name for value in graph.output}
    places = []
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if not needed.isdisjoint(filter(None, node.output)):
            places.append(place)
            needed.update(node.input, captured_names(node))
    return frozenset(places)


def all_graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and all bodies in it."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from all_graphs(body)


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of all its bodies."""
    for each in all_graphs(graph):
        yield from each.node


def shorten_domains(model: ModelProto) -> None:
    """Give ONNX's own operators the domain "", which a model may also spell out as `ai.onnx`."""
    parts = (model, *model.functions)
    nodes = [*all_nodes(model.graph)]
    nodes += [
        x for function in model.functions for each in function.node for x in _with_inner(each)
    ]
    for each in (*nodes, *(opset for part in parts for opset in part.opset_import)):
        if each.domain == "ai.onnx":
            each.domain = ""


def _with_inner(node: NodeProto) -> Iterator[NodeProto]:
    """Yield a node and the nodes of its bodies."""
    yield node
    for body in bodies(node):
        yield from all_nodes(body)


def initialisers(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the stored tensors of a graph and of all its bodies."""
    for each in all_graphs(graph):
        yield from each.initializer
        for sparse in each.sparse_initializer:
            yield sparse.values
            yield sparse.indices


def constants(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors in attributes of the nodes of a graph and of all its bodies."""
    for node in all_nodes(graph):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def sparse_tensors(model: ModelProto) -> Iterator[SparseTensorProto]:
    """Yield the sparse weights and the sparse constants of a model and of all its bodies."""
    for each in all_graphs(model.graph):
        yield from each.sparse_initializer
    for node in all_nodes(model.graph):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.SPARSE_TENSOR:
                yield attribute.sparse_tensor


def sort_nodes(graph: GraphProto) -> None:
    """Put the nodes of a graph in an order in which each comes after those that it takes from.

    Nodes in order stay where they are. Nodes that go round in a circle come last.
    """
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    taken = [
        {makers[x] for x in (*node.input, *captured_names(node)) if x in makers} - {i}
        for i, node in enumerate(graph.node)
    ]
    if all(max(sources, default=-1) < i for i, sources in enumerate(taken)):
        return
    takers: dict[int, list[int]] = {}
    for i, sources in enumerate(taken):
        for source in sources:
            takers.setdefault(source, []).append(i)
    n_missing = [len(sources) for sources in taken]
    ready = [i for i, count in enumerate(n_missing) if count == 0]
    for i in ready:
        for taker in takers.get(i, ()):
            n_missing[taker] -= 1
            if n_missing[taker] == 0:
                ready.append(taker)
    left = sorted(set(range(len(taken))) - set(ready))
    nodes = [NodeProto.FromString(graph.node[i].SerializeToString()) for i in (*ready, *left)]
    del graph.node[:]
    graph.node.extend(nodes)


def make_names_unique(graph: GraphProto) -> None:
    """Give the values of bodies names that no other value has.

    Two branches of ONNX may use the same names for values of other types and shapes.
    """
    _rename_in_bodies(graph, {}, set(_names_made(graph)))


def _rename_in_bodies(graph: GraphProto, outer: Mapping[str, str], taken: set[str]) -> None:
    """Rename what the bodies in a graph make, and what they take.

    Args:
        graph: The graph.
        outer: The new name of each value that was renamed around it.
        taken: The names that are in use. New ones are added.
    """
    for node in graph.node:
        for body in bodies(node):
            own: dict[str, str] = {}
            for name in dict.fromkeys(_names_made(body)):
                numbered = (f"{name}.{number}" for number in count(2))
                own[name] = (
                    name if name not in taken else next(x for x in numbered if x not in taken)
                )
                taken.add(own[name])
            names = {**outer, **own}
            _rename(body, {old: new for old, new in names.items() if old != new})
            _rename_in_bodies(body, names, taken)


def _rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    if not names:
        return
    for node in graph.node:
        for listed in (node.input, node.output):
            listed[:] = [names.get(name, name) for name in listed]
    named = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for each in (*named, *(sparse.values for sparse in graph.sparse_initializer)):
        each.name = names.get(each.name, each.name)


def _names_made(graph: GraphProto) -> Iterator[str]:
    yield from (value.name for value in graph.input)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        yield from filter(None, node.output)


def without_large_weights(model: ModelProto) -> ModelProto:
    """Return the model without the data of its large weights; the given one loses it too.

    Their shapes and types stay, which is enough to count the graph.
    """
    for weight in initialisers(model.graph):
        if prod(weight.dims) > MAX_KNOWN_ELEMENTS:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data"):
                weight.ClearField(field)
    lean = ModelProto()
    lean.CopyFrom(model)  # a message keeps the memory of its fields as long as it lives
    return lean


def name_of(node: NodeProto, index: int) -> str:
    """Return the name by which a node can be found: its own, or that of its first output."""
    return node.name or next(filter(None, node.output), f"number {index}")
