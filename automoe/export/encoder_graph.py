"""The encoder of one sentence, up to the keys and values that the decoder will attend to.

One sentence at a time needs no padding and no masks. The projections of the decoder's
attention to the encoder are made here, once, because they do not change from step to step.

Legend: S source tokens, E encoder width, Q qkv_dim, H heads, P head width, N experts.
"""

from math import sqrt

from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.export.experts import feed_forward
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
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
    """Build the graph, in the form for ONNX Runtime or in that for TensorRT.

    With a ``batch`` of B > 1, the tokens of B sentences of equal length follow one another in
    ``source``, and cross keys and values gain a first dimension B.

    Inputs: ``source`` ``[S]``; with ``forced_routing`` also ``route_i`` ``[S, N]`` for each
    sparse layer i. Outputs: ``cross_key_j`` ``[H, P, S']`` and ``cross_value_j``
    ``[H, S', P]`` for each decoder layer j, where S' is S times its span; ``expert_i`` ``[S]``.
    """
    graph = GraphBuilder("encoder", weights, tensorrt)
    encoder = config.architecture.encoder
    source_S = graph.input("source", TensorProto.INT64, ["source_length"])
    x_SE = embedded(
        graph,
        source_S,
        f"{'target' if config.shared_embeddings else 'source'}_embedding.encoder",
        sizes=(config.vocab_size, max_positions, encoder.embed_dim),
        position=None,
        batch=batch,
    )
    outputs = []
    for i, layer in enumerate(encoder.layers):
        x_SE = _layer(
            graph, x_SE, layer, i, config=config, forced_routing=forced_routing, batch=batch
        )
        outputs.append(x_SE)
    if config.pre_norm:
        outputs = [graph.norm(x, "encoder_norm", encoder.embed_dim) for x in outputs]
    _publish_cross_keys_values(graph, outputs, config, batch)
    return graph


def embedded(
    graph: GraphBuilder,
    tokens: str,
    table: str,
    *,
    sizes: tuple[int, int, int],
    position: str | None,
    batch: int = 1,
) -> str:
    """Token and position embeddings.

    Positions count from zero in each of ``batch`` sentences when ``position`` is None.
    """
    vocab_size, max_positions, dim = sizes
    rows = graph.op("Gather", graph.weight(table, vocab_size, dim), tokens, axis=0)
    scaled = graph.op("Mul", rows, graph.scalar(sqrt(dim)))
    side = table.rpartition(".")[2]
    table_PD = graph.weight(f"positions.{side}", max_positions, dim)
    if position is None and graph.tensorrt is not None:
        return _with_first_positions(graph, scaled, tokens, table_PD, batch=batch, dim=dim)
    if position is None:
        length = graph.op("Squeeze", graph.op("Shape", tokens))
        zero, one = (graph.op("Squeeze", graph.integers(n)) for n in (0, 1))
        position = graph.op("Range", zero, length, one)
        if batch > 1:
            position = graph.op("Mod", position, graph.op("Div", length, graph.integers(batch)))
    return graph.op("Add", scaled, graph.op("Gather", table_PD, position, axis=0))


def _with_first_positions(
    graph: GraphBuilder, x_TD: str, tokens: str, table_PD: str, *, batch: int, dim: int
) -> str:
    """Add the first positions to each sentence, with neither Range nor Mod."""
    length = graph.op("Shape", tokens)
    if batch > 1:
        length = graph.op("Div", length, graph.integers(batch))
    zero = graph.integers(0)
    first_SD = graph.op("Slice", table_PD, zero, length, zero)
    if batch == 1:
        return graph.op("Add", x_TD, first_SD)
    return graph.reshape(graph.op("Add", graph.reshape(x_TD, batch, -1, dim), first_SD), -1, dim)


def residual(graph: GraphBuilder, config: TransformerConfig, name: str, dim: int) -> "Residual":
    """Adds a sublayer's output to its input, with the norm where the model has it."""
    return Residual(graph, pre_norm=config.pre_norm, name=f"{name}.norm", dim=dim)


class Residual:
    """``enter`` gives a sublayer its input, ``leave`` adds its output."""

    def __init__(self, graph: GraphBuilder, *, pre_norm: bool, name: str, dim: int) -> None:
        self._graph = graph
        self._pre_norm = pre_norm
        self._norm = (name, dim)

    def enter(self, x: str) -> str:
        """What the sublayer sees of ``x``."""
        return self._graph.norm(x, *self._norm) if self._pre_norm else x

    def leave(self, x: str, out: str) -> str:
        """``x`` after the sublayer gave ``out``."""
        total = self._graph.op("Add", x, out)
        return total if self._pre_norm else self._graph.norm(total, *self._norm)


def attend(graph: GraphBuilder, query: str, key: str, value: str, head_dim: int) -> str:
    """Softmax attention: queries ``[.., T, P]``, keys ``[.., P, S]``, values ``[.., S, P]``."""
    scores = graph.op("MatMul", query, key)
    scaled = graph.op("Mul", scores, graph.scalar(1 / sqrt(head_dim)))
    return graph.op("MatMul", graph.op("Softmax", scaled, axis=-1), value)


def _layer(
    graph: GraphBuilder,
    x_SE: str,
    layer: EncoderLayer,
    index: int,
    *,
    config: TransformerConfig,
    forced_routing: bool,
    batch: int,
) -> str:
    dim = config.architecture.encoder.embed_dim
    name = f"encoder.{index}"
    around = residual(graph, config, f"{name}.attention_residual", dim)
    out_SE = _self_attention(graph, around.enter(x_SE), layer, f"{name}.attention", config, batch)
    x_SE = around.leave(x_SE, out_SE)
    around = residual(graph, config, f"{name}.feed_forward_residual", dim)
    bias = routing_input(graph, layer, index, "source_length") if forced_routing else None
    served = feed_forward(
        graph, around.enter(x_SE), layer, name=f"{name}.feed_forward", dim=dim, bias_TN=bias
    )
    if served.expert_T:
        graph.output(served.expert_T, f"expert_{index}", TensorProto.INT64, ["source_length"])
    return around.leave(x_SE, served.out_TD)


def routing_input(graph: GraphBuilder, layer: EncoderLayer, index: int, tokens: str) -> str | None:
    """The input that decides a sparse layer's routing; nothing for a dense layer."""
    if not layer.is_sparse:
        return None
    return graph.input(f"route_{index}", TensorProto.FLOAT, [tokens, len(layer.experts)])


def _self_attention(
    graph: GraphBuilder,
    x_SE: str,
    layer: EncoderLayer,
    name: str,
    config: TransformerConfig,
    batch: int,
) -> str:
    dim, qkv_dim = config.architecture.encoder.embed_dim, config.architecture.qkv_dim
    query_SQ, key_SQ, value_SQ = (
        graph.linear(x_SE, f"{name}.{part}", dim, qkv_dim) for part in ("query", "key", "value")
    )
    head_dim = qkv_dim // layer.heads
    split = [
        split_heads(graph, x, layer.heads, head_dim, batch) for x in (query_SQ, key_SQ, value_SQ)
    ]
    mixed_HSP = attend(
        graph,
        heads_first(graph, split[0], batch),
        heads_first(graph, split[1], batch, transposed=True),
        heads_first(graph, split[2], batch),
        head_dim,
    )
    mixed_SQ = graph.reshape(heads_first(graph, mixed_HSP, batch), -1, qkv_dim)
    return graph.linear(mixed_SQ, f"{name}.out", qkv_dim, dim)


def split_heads(graph: GraphBuilder, x_TQ: str, heads: int, head_dim: int, batch: int) -> str:
    """``[T, Q]`` to ``[T, H, P]``, or to ``[B, T / B, H, P]`` for several sentences."""
    if batch > 1:
        return graph.reshape(x_TQ, batch, -1, heads, head_dim)
    return graph.reshape(x_TQ, 0, heads, head_dim)


def heads_first(graph: GraphBuilder, x_THP: str, batch: int, *, transposed: bool = False) -> str:
    """Swap T and H of ``[(B,) T, H, P]``; ``transposed`` gives ``[(B,) H, P, T]``."""
    order = (1, 2, 0) if transposed else (1, 0, 2)
    return graph.transpose(x_THP, *((0, *(i + 1 for i in order)) if batch > 1 else order))


def _publish_cross_keys_values(
    graph: GraphBuilder, outputs: list[str], config: TransformerConfig, batch: int
) -> None:
    dim, qkv_dim = config.architecture.encoder.embed_dim, config.architecture.qkv_dim
    spans: dict[int, str] = {}
    for j, layer in enumerate(config.architecture.decoder.layers):
        span = layer.cross_span
        if span not in spans:
            spans[span] = _attended(graph, outputs[: -span - 1 : -1], dim, batch)
        heads, head_dim = layer.cross_heads, qkv_dim // layer.cross_heads
        length, sentences = f"source_length_times_{span}", [batch] if batch > 1 else []
        shapes: tuple[tuple[str, list[Dimension]], ...] = (
            ("key", [*sentences, heads, head_dim, length]),
            ("value", [*sentences, heads, length, head_dim]),
        )
        for part, shape in shapes:
            projected = graph.linear(spans[span], f"decoder.{j}.cross.{part}", dim, qkv_dim)
            split = split_heads(graph, projected, heads, head_dim, batch)
            value = heads_first(graph, split, batch, transposed=part == "key")
            graph.output(value, f"cross_{part}_{j}", graph.float_type, shape)


def _attended(graph: GraphBuilder, outputs: list[str], dim: int, batch: int) -> str:
    """The outputs of several layers, one after the other within each sentence."""
    if len(outputs) == 1:
        return outputs[0]
    if batch == 1:
        return graph.op("Concat", *outputs, axis=0)
    apart = [graph.reshape(x, batch, -1, dim) for x in outputs]
    return graph.reshape(graph.op("Concat", *apart, axis=1), -1, dim)
