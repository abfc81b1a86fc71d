"""One step of the decoder for the hypotheses of one sentence, with a key/value cache.

All hypotheses attend to the same encoder output, so it is never repeated for a beam.

Legend: B hypotheses, D decoder width, Q qkv_dim, H heads, P head width, C cached positions,
S' attended encoder positions, V vocabulary, N experts.
"""

from onnx import TensorProto

from automoe.architecture.architecture import DecoderLayer
from automoe.export.encoder_graph import (
    attend,
    embedded,
    heads_first,
    residual,
    routing_input,
    split_heads,
)
from automoe.export.experts import feed_forward
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
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
    """Build the graph, in the form for ONNX Runtime or in that for TensorRT.

    With a ``batch`` of several sentences their hypotheses follow one another, as many for each,
    and cross keys and values have a first dimension for the sentence.

    Inputs: ``token`` ``[B]``, ``position`` ``[1]``; for each layer ``past_key_i`` and
    ``past_value_i`` ``[B, H, C, P]``, ``cross_key_i`` ``[H, P, S']`` and ``cross_value_i``
    ``[H, S', P]``; with ``forced_routing`` ``route_i`` ``[B, N]`` for each sparse layer.
    Outputs: ``logits`` ``[B, V]``, ``present_key_i`` and ``present_value_i``
    ``[B, H, C + 1, P]``, and ``expert_i`` ``[B]`` for each sparse layer.
    """
    graph = GraphBuilder("decoder_step", weights, tensorrt)
    dim = config.architecture.decoder.embed_dim
    token_B = graph.input("token", TensorProto.INT64, ["beam"])
    position = graph.input("position", TensorProto.INT64, [1])
    x_BD = embedded(
        graph, token_B, TABLE, sizes=(config.vocab_size, max_positions, dim), position=position
    )
    for i, layer in enumerate(config.architecture.decoder.layers):
        x_BD = _layer(
            graph, x_BD, layer, i, config=config, forced_routing=forced_routing, batch=batch
        )
    if config.pre_norm:
        x_BD = graph.norm(x_BD, "decoder_norm", dim)
    table_VD = graph.weight(TABLE, config.vocab_size, dim)
    logits_BV = graph.product(x_BD, table_VD)
    logits_BV = graph.as_float32(logits_BV)
    graph.output(logits_BV, "logits", TensorProto.FLOAT, ["beam", config.vocab_size])
    return graph


def _layer(
    graph: GraphBuilder,
    x_BD: str,
    layer: DecoderLayer,
    index: int,
    *,
    config: TransformerConfig,
    forced_routing: bool,
    batch: int,
) -> str:
    dim = config.architecture.decoder.embed_dim
    name = f"decoder.{index}"
    around = residual(graph, config, f"{name}.attention_residual", dim)
    x_BD = around.leave(x_BD, _self_attention(graph, around.enter(x_BD), layer, index, config))
    around = residual(graph, config, f"{name}.cross_residual", dim)
    attended = _cross_attention(graph, around.enter(x_BD), layer, index, config, batch)
    x_BD = around.leave(x_BD, attended)
    around = residual(graph, config, f"{name}.feed_forward_residual", dim)
    bias = routing_input(graph, layer, index, "beam") if forced_routing else None
    served = feed_forward(
        graph, around.enter(x_BD), layer, name=f"{name}.feed_forward", dim=dim, bias_TN=bias
    )
    if served.expert_T:
        graph.output(served.expert_T, f"expert_{index}", TensorProto.INT64, ["beam"])
    return around.leave(x_BD, served.out_TD)


def _self_attention(
    graph: GraphBuilder, x_BD: str, layer: DecoderLayer, index: int, config: TransformerConfig
) -> str:
    dim, qkv_dim = config.architecture.decoder.embed_dim, config.architecture.qkv_dim
    head_dim, name = qkv_dim // layer.heads, f"decoder.{index}.attention"
    query, key, value = (
        graph.reshape(graph.linear(x_BD, f"{name}.{part}", dim, qkv_dim), 0, layer.heads, 1, -1)
        for part in ("query", "key", "value")
    )
    keys = _cached(graph, key, f"key_{index}", layer.heads, head_dim)
    values = _cached(graph, value, f"value_{index}", layer.heads, head_dim)
    mixed = attend(graph, query, graph.transpose(keys, 0, 1, 3, 2), values, head_dim)
    return graph.linear(graph.reshape(mixed, 0, qkv_dim), f"{name}.out", qkv_dim, dim)


def _cached(graph: GraphBuilder, fresh: str, name: str, heads: int, head_dim: int) -> str:
    shape: list[Dimension] = ["beam", heads, "cached", head_dim]
    past = graph.input(f"past_{name}", graph.float_type, shape)
    present = graph.op("Concat", past, fresh, axis=2)
    grown: list[Dimension] = ["beam", heads, "cached_plus_1", head_dim]
    graph.output(present, f"present_{name}", graph.float_type, grown)
    return present


def _cross_attention(
    graph: GraphBuilder,
    x_BD: str,
    layer: DecoderLayer,
    index: int,
    config: TransformerConfig,
    batch: int,
) -> str:
    dim, qkv_dim = config.architecture.decoder.embed_dim, config.architecture.qkv_dim
    heads, name = layer.cross_heads, f"decoder.{index}.cross"
    head_dim, length = qkv_dim // heads, f"attended_{index}"
    sentences: list[Dimension] = [batch] if batch > 1 else []
    key, value = (
        graph.input(f"cross_{part}_{index}", graph.float_type, [*sentences, heads, *rest])
        for part, rest in (("key", (head_dim, length)), ("value", (length, head_dim)))
    )
    query_BQ = graph.linear(x_BD, f"{name}.query", dim, qkv_dim)
    query_HBP = heads_first(graph, split_heads(graph, query_BQ, heads, head_dim, batch), batch)
    mixed_HBP = attend(graph, query_HBP, key, value, head_dim)
    mixed_BQ = graph.reshape(heads_first(graph, mixed_HBP, batch), -1, qkv_dim)
    return graph.linear(mixed_BQ, f"{name}.out", qkv_dim, dim)
