"""This module writes the feed-forward part, where an expert without tokens computes nothing.

For ONNX Runtime, tokens are sorted by expert and split into one segment for each expert. A segment
without tokens is a matrix product without rows, which the runtime skips without reading weights.
Experts may have different widths, and no token is padded or computed twice. TensorRT's parsers do
not take this form. Its own forms are in ``automoe/export/tensorrt_experts.py``.

Legend: T tokens, D width, N experts.
"""

from dataclasses import dataclass

from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.export.graph import GraphBuilder
from automoe.export.tensorrt_experts import is_gathered, serve_gathered, serve_masked, top_1


@dataclass(frozen=True, slots=True)
class Routed:
    """The output of a feed-forward part and each token's expert ``[T]``, None in a dense layer."""

    out_TD: str
    expert_T: str | None


def feed_forward(
    graph: GraphBuilder, x_TD: str, layer: EncoderLayer, *, name: str, dim: int, bias_TN: str | None
) -> Routed:
    """Serve ``[T, D]`` by the layer's experts.

    Args:
        graph: The graph to which the nodes are added.
        x_TD: The tokens.
        layer: The layer, which has the experts' widths.
        name: The prefix of the weights' names, such as ``encoder.0.feed_forward``.
        dim: The width D.
        bias_TN: A value that is added to the router's logits, so that a workload decides the
            routing; None adds nothing.
    """
    if not layer.is_sparse:
        return Routed(_expert(graph, x_TD, f"{name}.experts.0", dim, layer.experts[0]), None)
    n_experts = len(layer.experts)
    logits_TN = graph.as_float32(graph.linear(x_TD, f"{name}.router", dim, n_experts, exact=True))
    if bias_TN is not None:
        logits_TN = graph.op("Add", logits_TN, bias_TN)
    probability_TN = graph.op("Softmax", logits_TN, axis=1)
    scale_T1 = graph.as_activation(graph.op("ReduceMax", probability_TN, axes=[1], keepdims=1))
    if graph.tensorrt is None:
        expert_T = graph.op("ArgMax", logits_TN, axis=1, keepdims=0)
        served_TD = _serve_sorted(graph, x_TD, expert_T, layer, name=name, dim=dim)
    else:
        expert_T1, expert_T = top_1(graph, logits_TN)
        serve = serve_gathered if is_gathered(layer, graph.tensorrt.n_tokens) else serve_masked
        served_TD = serve(graph, x_TD, (expert_T1, expert_T), layer, name=name, dim=dim)
    return Routed(graph.op("Mul", served_TD, scale_T1), expert_T)


def _serve_sorted(
    graph: GraphBuilder, x_TD: str, expert_T: str, layer: EncoderLayer, *, name: str, dim: int
) -> str:
    n_experts = len(layer.experts)
    n_tokens = graph.op("Shape", expert_T)
    _, order_T = graph.ops("TopK", expert_T, n_tokens, n_outputs=2, axis=0, largest=0, sorted=1)
    segments = graph.ops(
        "Split",
        graph.op("Gather", x_TD, order_T, axis=0),
        _tokens_per_expert(graph, expert_T, n_experts),
        n_outputs=n_experts,
        axis=0,
    )
    served = [
        _expert(graph, segment, f"{name}.experts.{i}", dim, width)
        for i, (segment, width) in enumerate(zip(segments, layer.experts, strict=True))
    ]
    sorted_TD = graph.op("Concat", *served, axis=0)
    place_T1 = graph.op("Unsqueeze", order_T, graph.integers(1))
    # ScatterND overwrites every row of x_TD, of which only the shape matters.
    return graph.op("ScatterND", x_TD, place_T1, sorted_TD)


def _tokens_per_expert(graph: GraphBuilder, expert_T: str, n_experts: int) -> str:
    expert_T1 = graph.op("Unsqueeze", expert_T, graph.integers(1))
    chosen_TN = graph.op("Equal", expert_T1, graph.integers(*range(n_experts)))
    counted_TN = graph.op("Cast", chosen_TN, to=TensorProto.INT64)
    return graph.op("ReduceSum", counted_TN, graph.integers(0), keepdims=0)


def _expert(graph: GraphBuilder, x_TD: str, name: str, dim: int, width: int) -> str:
    hidden = graph.op("Relu", graph.linear(x_TD, f"{name}.expand", dim, width))
    return graph.linear(hidden, f"{name}.contract", width, dim)
