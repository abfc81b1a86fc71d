"""This module writes the graph of the encoder, up to the keys and values for the decoder.

One sentence at a time needs no padding and no masks. The keys and values that the decoder attends
to are computed here once, because they are the same in every step.

Legend: S source tokens, E encoder width, Q qkv_dim, H heads, P head width, N experts.
"""

from functools import partial

from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
from automoe.export.layers import Stack, embedded
from automoe.export.weights import WeightSource
from automoe.supernet import TransformerConfig


def encoder_graph(
    config: TransformerConfig,
    weights: WeightSource,
    *,
    max_positions: int,
    forced_routing: bool,
    batch: int = 1,
    tensorrt: TensorRtForm | None = None,
) -> GraphBuilder:
    """Build the graph for ONNX Runtime, or with ``tensorrt`` for TensorRT.

    With a ``batch`` of B > 1, the tokens of B sentences of equal length follow one another in
    ``source``, and cross keys and values have a first dimension B.

    The inputs are ``source`` ``[S]`` and, with ``forced_routing``, ``route_i`` ``[S, N]`` for
    each sparse layer i. The outputs are ``cross_key_j`` ``[H, P, S']`` and ``cross_value_j``
    ``[H, S', P]`` for each decoder layer j, where S' is S times its span, and ``expert_i``
    ``[S]`` for each sparse layer i.
    """
    graph = GraphBuilder("encoder", weights, tensorrt)
    stack = Stack(graph, config, "encoder", "source_length", forced_routing, batch)
    source_S = graph.input("source", TensorProto.INT64, ["source_length"])
    table = f"{'target' if config.shared_embeddings else 'source'}_embedding.encoder"
    x_SE = embedded(stack, source_S, table, max_positions=max_positions)
    outputs = []
    for i, layer in enumerate(config.architecture.encoder.layers):
        attend = partial(_self_attention, stack, layer=layer, name=f"encoder.{i}.attention")
        x_SE = stack.served(stack.residual(x_SE, f"{i}.attention", attend), layer, i)
        outputs.append(x_SE)
    if config.pre_norm:
        outputs = [graph.norm(x, "encoder_norm", stack.dim) for x in outputs]
    _publish_cross_keys_values(stack, outputs)
    return graph


def _self_attention(stack: Stack, x_SE: str, layer: EncoderLayer, name: str) -> str:
    graph, dim, qkv_dim = stack.graph, stack.dim, stack.qkv_dim
    projected = [
        graph.linear(x_SE, f"{name}.{part}", dim, qkv_dim) for part in ("query", "key", "value")
    ]
    query, key, value = [stack.split_heads(x_SQ, layer.heads) for x_SQ in projected]
    mixed_HSP = stack.attend(
        stack.heads_first(query),
        stack.heads_first(key, transposed=True),
        stack.heads_first(value),
        layer.heads,
    )
    mixed_SQ = graph.reshape(stack.heads_first(mixed_HSP), -1, qkv_dim)
    return graph.linear(mixed_SQ, f"{name}.out", qkv_dim, dim)


def _publish_cross_keys_values(stack: Stack, outputs: list[str]) -> None:
    graph, qkv_dim, batch = stack.graph, stack.qkv_dim, stack.batch
    spans: dict[int, str] = {}
    for j, layer in enumerate(stack.config.architecture.decoder.layers):
        span = layer.cross_span
        if span not in spans:
            spans[span] = _attended(stack, outputs[: -span - 1 : -1])
        heads, head_dim = layer.cross_heads, qkv_dim // layer.cross_heads
        length, sentences = f"source_length_times_{span}", [batch] if batch > 1 else []
        shapes: tuple[tuple[str, list[Dimension]], ...] = (
            ("key", [*sentences, heads, head_dim, length]),
            ("value", [*sentences, heads, length, head_dim]),
        )
        for part, shape in shapes:
            name = f"decoder.{j}.cross.{part}"
            split = stack.split_heads(graph.linear(spans[span], name, stack.dim, qkv_dim), heads)
            value = stack.heads_first(split, transposed=part == "key")
            graph.output(value, f"cross_{part}_{j}", graph.float_type, shape)


def _attended(stack: Stack, outputs: list[str]) -> str:
    """Return the outputs of several layers, which follow one another within each sentence."""
    graph, batch = stack.graph, stack.batch
    if len(outputs) == 1:
        return outputs[0]
    if batch == 1:
        return graph.op("Concat", *outputs, axis=0)
    apart = [graph.reshape(x, batch, -1, stack.dim) for x in outputs]
    return graph.reshape(graph.op("Concat", *apart, axis=1), -1, stack.dim)
