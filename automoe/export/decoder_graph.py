"""This module writes the graph of one decoder step, with a cache of keys and values.

All hypotheses of a sentence attend to the same encoder outputs, so these are not repeated.

Legend: R hypotheses of all sentences, B sentences, D decoder width, Q qkv_dim, H heads, P head
width, C cached positions, S' attended encoder positions, V vocabulary, N experts, K best tokens.
"""

from functools import partial

from onnx import TensorProto

from automoe.architecture.architecture import DecoderLayer
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
from automoe.export.layers import Stack, embedded
from automoe.export.sentences import EqualRows, OneLength, Sentences
from automoe.export.shortlist_graph import TABLE, product_of_candidates
from automoe.export.weights import WeightSource
from automoe.supernet import TransformerConfig


def decoder_graph(
    config: TransformerConfig,
    weights: WeightSource,
    *,
    max_positions: int,
    forced_routing: bool,
    batch: int = 1,
    tensorrt: TensorRtForm | None = None,
    publishes_logits: bool = True,
    is_shortlisted: bool = False,
) -> GraphBuilder:
    """Build the graph for ONNX Runtime, or with ``tensorrt`` for TensorRT.

    The hypotheses of one sentence follow those of another. Each sentence has as many.

    The inputs are ``token`` ``[R]`` and ``position`` ``[1]``; for each layer ``past_key_i`` and
    ``past_value_i`` ``[R', H, C, P]``, ``cross_key_i`` ``[B, H, P, S']`` and ``cross_value_i``
    ``[B, H, S', P]``; and with ``forced_routing`` ``route_i`` ``[R, N]`` for each sparse layer. The
    outputs are, for each layer, ``present_key_i`` and ``present_value_i`` ``[R, H, C + 1, P]``;
    ``expert_i`` ``[R]`` for each sparse layer; and ``logits`` ``[R, V]``.

    For ONNX Runtime there are further inputs: ``parent`` ``[R]``, the hypothesis of the step before
    that each one extends, so that the cache has R' of the step before; ``n_sentences`` ``[1]``;
    ``n_best`` ``[1]``; and ``cross_barred_s`` ``[B, 1, 1, S']`` for each span s. The outputs
    ``best_token`` and ``best_log_probability`` ``[R, K]`` are the n_best most probable next tokens,
    the best first; ``logits`` are an output for checks alone, and may be left out.

    If it is shortlisted, ``candidates`` ``[C]`` and what `shortlist_graph` makes of them are inputs
    too, and only they are predicted: the logits are ``[R, C]``.

    For TensorRT ``batch`` is the number of sentences. The cache has R rows, and cross keys and
    values have no first dimension B when it is 1.
    """
    graph = GraphBuilder("decoder_step", weights, tensorrt)
    rows, dim, qkv_dim = "beam", config.architecture.decoder.embed_dim, config.architecture.qkv_dim
    token_R = graph.input("token", TensorProto.INT64, [rows])
    position = graph.input("position", TensorProto.INT64, [1])
    sentences: Sentences
    if tensorrt is None:
        parent_R = graph.input("parent", TensorProto.INT64, [rows])
        n_sentences = graph.input("n_sentences", TensorProto.INT64, [1])
        sentences = EqualRows(graph, n_sentences, qkv_dim)
        outer: list[Dimension] = ["sentences"]
    else:
        parent_R, sentences = None, OneLength(graph, batch, dim, qkv_dim)
        outer = [batch] if batch > 1 else []
    stack = Stack(graph, config, "decoder", rows, forced_routing, sentences)
    x_RD = embedded(stack, token_R, TABLE)
    table_PD = graph.weight("positions.decoder", max_positions, dim)
    x_RD = graph.op("Add", x_RD, graph.op("Gather", table_PD, position, axis=0))
    for i, layer in enumerate(config.architecture.decoder.layers):
        own = partial(_self_attention, stack, layer=layer, index=i, parent_R=parent_R)
        x_RD = stack.residual(x_RD, f"{i}.attention", own)
        cross = partial(_cross_attention, stack, layer=layer, index=i, outer=outer)
        x_RD = stack.served(stack.residual(x_RD, f"{i}.cross", cross), layer, i)
    if config.pre_norm:
        x_RD = graph.norm(x_RD, "decoder_norm", stack.dim)
    pieces: Dimension = config.vocab_size
    candidate_C = None
    if is_shortlisted:
        pieces = "candidates"
        candidate_C = graph.input("candidates", TensorProto.INT64, [pieces])
        logits_RV = product_of_candidates(graph, x_RD, dim)
    else:
        logits_RV = graph.as_float32(graph.product(x_RD, TABLE, (config.vocab_size, dim)))
    if tensorrt is None:
        _publish_best(graph, logits_RV, rows, candidate_C)
    if publishes_logits:
        graph.output(logits_RV, "logits", TensorProto.FLOAT, [rows, pieces])
    return graph


def _publish_best(graph: GraphBuilder, logits_RV: str, rows: str, candidate_C: str | None) -> None:
    log_probability_RV = graph.op("LogSoftmax", logits_RV, axis=1)
    n_best = graph.input("n_best", TensorProto.INT64, [1])
    best_RK, token_RK = graph.ops(
        "TopK", log_probability_RV, n_best, n_outputs=2, axis=1, largest=1, sorted=1
    )
    if candidate_C is not None:
        token_RK = graph.op("Gather", candidate_C, token_RK, axis=0)
    graph.output(best_RK, "best_log_probability", TensorProto.FLOAT, [rows, "best"])
    graph.output(token_RK, "best_token", TensorProto.INT64, [rows, "best"])


def _self_attention(
    stack: Stack, x_RD: str, layer: DecoderLayer, index: int, parent_R: str | None
) -> str:
    graph, heads, name = stack.graph, layer.heads, f"decoder.{index}.attention"
    query, key, value = (
        graph.reshape(
            graph.linear(x_RD, f"{name}.{part}", stack.dim, stack.qkv_dim), 0, heads, 1, -1
        )
        for part in ("query", "key", "value")
    )
    keys = _cached(stack, key, f"key_{index}", heads, parent_R)
    values = _cached(stack, value, f"value_{index}", heads, parent_R)
    mixed = stack.attend(query, graph.transpose(keys, 0, 1, 3, 2), values, heads)
    mixed_RQ = graph.reshape(mixed, 0, stack.qkv_dim)
    return graph.linear(mixed_RQ, f"{name}.out", stack.qkv_dim, stack.dim)


def _cached(stack: Stack, fresh: str, name: str, heads: int, parent_R: str | None) -> str:
    """Return the keys or values of all steps so far, which are also an output of the graph."""
    graph, head_dim = stack.graph, stack.qkv_dim // heads
    rows = stack.n_tokens if parent_R is None else "parents"
    past = graph.input(f"past_{name}", graph.float_type, [rows, heads, "cached", head_dim])
    if parent_R is not None:
        past = graph.op("Gather", past, parent_R, axis=0)
    present = graph.op("Concat", past, fresh, axis=2)
    grown: list[Dimension] = [stack.n_tokens, heads, "cached_plus_1", head_dim]
    graph.output(present, f"present_{name}", graph.float_type, grown)
    return present


def _cross_attention(
    stack: Stack, x_RD: str, layer: DecoderLayer, index: int, outer: list[Dimension]
) -> str:
    graph, dim, qkv_dim = stack.graph, stack.dim, stack.qkv_dim
    heads, name = layer.cross_heads, f"decoder.{index}.cross"
    head_dim, length = qkv_dim // heads, f"attended_{index}"
    key, value = (
        graph.input(f"cross_{part}_{index}", graph.float_type, [*outer, heads, *rest])
        for part, rest in (("key", (head_dim, length)), ("value", (length, head_dim)))
    )
    barred = None
    if graph.tensorrt is None:
        shape: list[Dimension] = [*outer, 1, 1, f"attended_with_span_{layer.cross_span}"]
        barred = graph.input(f"cross_barred_{layer.cross_span}", TensorProto.FLOAT, shape)
    query_RQ = graph.linear(x_RD, f"{name}.query", dim, qkv_dim)
    query = stack.heads_first(stack.split_heads(query_RQ, heads))
    mixed = stack.attend(query, key, value, heads, barred=barred)
    return graph.linear(stack.joined(mixed), f"{name}.out", qkv_dim, dim)
