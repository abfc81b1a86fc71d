"""This module writes the graph of one decoder step, with a cache of keys and values.

All hypotheses of a sentence attend to the same encoder outputs, so these are not repeated.

Legend: B hypotheses, D decoder width, Q qkv_dim, H heads, P head width, C cached positions,
S' attended encoder positions, V vocabulary, N experts.
"""

from functools import partial

from onnx import TensorProto

from automoe.architecture.architecture import DecoderLayer
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
from automoe.export.layers import Stack, embedded
from automoe.export.weights import WeightSource
from automoe.supernet import TransformerConfig

TABLE = "target_embedding.decoder"


def decoder_graph(
    config: TransformerConfig,
    weights: WeightSource,
    *,
    max_positions: int,
    forced_routing: bool,
    batch: int = 1,
    tensorrt: TensorRtForm | None = None,
) -> GraphBuilder:
    """Build the graph for ONNX Runtime, or with ``tensorrt`` for TensorRT.

    With a ``batch`` of several sentences, the hypotheses of one sentence follow those of another.
    Each sentence has as many. Cross keys and values have a first dimension for the sentence.

    The inputs are ``token`` ``[B]`` and ``position`` ``[1]``; for each layer ``past_key_i`` and
    ``past_value_i`` ``[B, H, C, P]``, ``cross_key_i`` ``[H, P, S']`` and ``cross_value_i``
    ``[H, S', P]``; and with ``forced_routing`` ``route_i`` ``[B, N]`` for each sparse layer.
    The outputs are ``logits`` ``[B, V]``; for each layer ``present_key_i`` and
    ``present_value_i`` ``[B, H, C + 1, P]``; and ``expert_i`` ``[B]`` for each sparse layer.
    """
    graph = GraphBuilder("decoder_step", weights, tensorrt)
    stack = Stack(graph, config, "decoder", "beam", forced_routing, batch)
    token_B = graph.input("token", TensorProto.INT64, ["beam"])
    position = graph.input("position", TensorProto.INT64, [1])
    x_BD = embedded(stack, token_B, TABLE, max_positions=max_positions, position=position)
    for i, layer in enumerate(config.architecture.decoder.layers):
        for name, sublayer in (("attention", _self_attention), ("cross", _cross_attention)):
            bound = partial(sublayer, stack, layer=layer, index=i)
            x_BD = stack.residual(x_BD, f"{i}.{name}", bound)
        x_BD = stack.served(x_BD, layer, i)
    if config.pre_norm:
        x_BD = graph.norm(x_BD, "decoder_norm", stack.dim)
    table = (config.vocab_size, stack.dim)
    logits_BV = graph.as_float32(graph.product(x_BD, TABLE, table))
    graph.output(logits_BV, "logits", TensorProto.FLOAT, ["beam", config.vocab_size])
    return graph


def _self_attention(stack: Stack, x_BD: str, layer: DecoderLayer, index: int) -> str:
    graph, heads, name = stack.graph, layer.heads, f"decoder.{index}.attention"
    query, key, value = (
        graph.reshape(
            graph.linear(x_BD, f"{name}.{part}", stack.dim, stack.qkv_dim), 0, heads, 1, -1
        )
        for part in ("query", "key", "value")
    )
    keys = _cached(stack, key, f"key_{index}", heads)
    values = _cached(stack, value, f"value_{index}", heads)
    mixed = stack.attend(query, graph.transpose(keys, 0, 1, 3, 2), values, heads)
    mixed_BQ = graph.reshape(mixed, 0, stack.qkv_dim)
    return graph.linear(mixed_BQ, f"{name}.out", stack.qkv_dim, stack.dim)


def _cached(stack: Stack, fresh: str, name: str, heads: int) -> str:
    """Return the keys or values of all steps so far, which are also an output of the graph."""
    graph, head_dim = stack.graph, stack.qkv_dim // heads
    past = graph.input(f"past_{name}", graph.float_type, ["beam", heads, "cached", head_dim])
    present = graph.op("Concat", past, fresh, axis=2)
    grown: list[Dimension] = ["beam", heads, "cached_plus_1", head_dim]
    graph.output(present, f"present_{name}", graph.float_type, grown)
    return present


def _cross_attention(stack: Stack, x_BD: str, layer: DecoderLayer, index: int) -> str:
    graph, dim, qkv_dim = stack.graph, stack.dim, stack.qkv_dim
    heads, name = layer.cross_heads, f"decoder.{index}.cross"
    head_dim, length = qkv_dim // heads, f"attended_{index}"
    sentences: list[Dimension] = [stack.batch] if stack.batch > 1 else []
    key, value = (
        graph.input(f"cross_{part}_{index}", graph.float_type, [*sentences, heads, *rest])
        for part, rest in (("key", (head_dim, length)), ("value", (length, head_dim)))
    )
    query_BQ = graph.linear(x_BD, f"{name}.query", dim, qkv_dim)
    query_HBP = stack.heads_first(stack.split_heads(query_BQ, heads))
    mixed_HBP = stack.attend(query_HBP, key, value, heads)
    mixed_BQ = graph.reshape(stack.heads_first(mixed_HBP), -1, qkv_dim)
    return graph.linear(mixed_BQ, f"{name}.out", qkv_dim, dim)
