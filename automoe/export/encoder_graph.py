"""This module writes the graph of the encoder, up to the keys and values for the decoder.

The keys and values that the decoder attends to are computed here once, because they are the same in
every step.

Legend: T tokens of all sentences, B sentences, S tokens of the longest one, E encoder width,
Q qkv_dim, H heads, P head width, N experts.
"""

from dataclasses import dataclass, replace
from functools import partial

from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.export.graph import Dimension, GraphBuilder, TensorRtForm
from automoe.export.layers import Stack, embedded
from automoe.export.sentences import OneLength, Packed, SourceSentences
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

    For ONNX Runtime the inputs are ``source`` ``[T]``, the tokens of all sentences one after
    another; ``source_position`` ``[T]``, counted from 0 in each sentence; ``source_token``
    ``[B, S]``, the index in ``source`` of each position of each sentence, and 0 after its end;
    ``source_place`` ``[T]``, the place of each token among these ``B * S``; and ``source_barred``
    ``[B, 1, 1, S]``, which is 0 for a token and -1e9 after the end. The outputs are
    ``cross_key_j`` ``[B, H, P, S']`` and ``cross_value_j`` ``[B, H, S', P]`` for each decoder layer
    j, where S' is S times its span, and ``cross_barred_s`` ``[B, 1, 1, S']`` for each span s.

    For TensorRT the tokens of ``batch`` sentences of equal length follow one another in
    ``source``, which is the only input. The outputs have no first dimension B when it is 1, and
    nothing is barred.

    With ``forced_routing`` there are inputs ``route_i`` ``[T, N]`` for each sparse layer i. The
    output ``expert_i`` ``[T]`` is the expert of each token there.
    """
    graph = GraphBuilder("encoder", weights, tensorrt)
    source = _packed(graph, config) if tensorrt is None else _of_one_length(graph, config, batch)
    stack = Stack(graph, config, "encoder", source.n_tokens, forced_routing, source.sentences)
    table = f"{'target' if config.shared_embeddings else 'source'}_embedding.encoder"
    x_TE = _with_positions(stack, embedded(stack, source.token_T, table), source, max_positions)
    outputs = []
    for i, layer in enumerate(config.architecture.encoder.layers):
        name = f"encoder.{i}.attention"
        attend = partial(_self_attention, stack, layer=layer, name=name, barred=source.barred)
        x_TE = stack.served(stack.residual(x_TE, f"{i}.attention", attend), layer, i)
        outputs.append(x_TE)
    if config.pre_norm:
        outputs = [graph.norm(x, "encoder_norm", stack.dim) for x in outputs]
    for span in sorted({layer.cross_span for layer in config.architecture.decoder.layers}):
        _publish_attended(stack, source, span, outputs[: -span - 1 : -1])
    return graph


@dataclass(frozen=True, slots=True)
class _Source:
    """The tokens that the encoder reads.

    Attributes:
        token_T: The tokens.
        n_tokens: The symbolic dimension T.
        position_T: The position of each token; None when they count from 0 in each sentence.
        sentences: The sentences of the tokens.
        barred: What attention adds to its scores, ``[B, 1, 1, S]``, or None for nothing.
        batch: The fixed number of sentences; None when it is open.
    """

    token_T: str
    n_tokens: str
    position_T: str | None
    sentences: SourceSentences
    barred: str | None
    batch: int | None

    @property
    def outer(self) -> list[Dimension]:
        """The dimension of the sentences in the outputs, or none."""
        if self.batch is None:
            return ["sentences"]
        return [self.batch] if self.batch > 1 else []


def _packed(graph: GraphBuilder, config: TransformerConfig) -> _Source:
    def integers(name: str, *shape: Dimension) -> str:
        return graph.input(name, TensorProto.INT64, shape)

    token_T, position_T = integers("source", "tokens"), integers("source_position", "tokens")
    token_BS = integers("source_token", "sentences", "source_length")
    place_T = integers("source_place", "tokens")
    shape: list[Dimension] = ["sentences", 1, 1, "source_length"]
    barred = graph.input("source_barred", TensorProto.FLOAT, shape)
    sentences = Packed(graph, token_BS, place_T, config.architecture.qkv_dim)
    return _Source(token_T, "tokens", position_T, sentences, barred, None)


def _of_one_length(graph: GraphBuilder, config: TransformerConfig, batch: int) -> _Source:
    token_T = graph.input("source", TensorProto.INT64, ["source_length"])
    architecture = config.architecture
    sentences = OneLength(graph, batch, architecture.encoder.embed_dim, architecture.qkv_dim)
    return _Source(token_T, "source_length", None, sentences, None, batch)


def _with_positions(stack: Stack, x_TE: str, source: _Source, max_positions: int) -> str:
    """Add the vector of its position to each token."""
    graph, dim = stack.graph, stack.dim
    table_PE = graph.weight("positions.encoder", max_positions, dim)
    if source.position_T is not None:
        return graph.op("Add", x_TE, graph.op("Gather", table_PE, source.position_T, axis=0))
    # TensorRT's parsers do not take Range and Mod.
    batch = source.batch or 1
    length = graph.op("Shape", source.token_T)
    if batch > 1:
        length = graph.op("Div", length, graph.integers(batch))
    zero = graph.integers(0)
    first_SE = graph.op("Slice", table_PE, zero, length, zero)
    if batch == 1:
        return graph.op("Add", x_TE, first_SE)
    apart_BSE = graph.reshape(x_TE, batch, -1, dim)
    return graph.reshape(graph.op("Add", apart_BSE, first_SE), -1, dim)


def _self_attention(
    stack: Stack, x_TE: str, layer: EncoderLayer, name: str, barred: str | None
) -> str:
    graph, dim, qkv_dim = stack.graph, stack.dim, stack.qkv_dim
    projected = [
        graph.linear(x_TE, f"{name}.{part}", dim, qkv_dim) for part in ("query", "key", "value")
    ]
    query, key, value = [stack.split_heads(x_TQ, layer.heads) for x_TQ in projected]
    mixed = stack.attend(
        stack.heads_first(query),
        stack.heads_first(key, transposed=True),
        stack.heads_first(value),
        layer.heads,
        barred=barred,
    )
    return graph.linear(stack.joined(mixed), f"{name}.out", qkv_dim, dim)


def _publish_attended(stack: Stack, source: _Source, span: int, outputs: list[str]) -> None:
    """Write the keys and values for all decoder layers that attend to so many encoder layers."""
    graph, qkv_dim = stack.graph, stack.qkv_dim
    attended_TE, sentences = source.sentences.stacked(outputs)
    apart = replace(stack, sentences=sentences)
    length = f"source_length_times_{span}"
    for j, layer in enumerate(stack.config.architecture.decoder.layers):
        if layer.cross_span != span:
            continue
        heads, head_dim = layer.cross_heads, qkv_dim // layer.cross_heads
        for part, shape in (("key", (head_dim, length)), ("value", (length, head_dim))):
            x_TQ = graph.linear(attended_TE, f"decoder.{j}.cross.{part}", stack.dim, qkv_dim)
            split = apart.split_heads(x_TQ, heads)
            published = apart.heads_first(split, transposed=part == "key")
            name = f"cross_{part}_{j}"
            graph.output(published, name, graph.float_type, [*source.outer, heads, *shape])
    if source.barred is not None:
        barred = graph.op("Concat", *[source.barred] * span, axis=3)
        name = f"cross_barred_{span}"
        graph.output(barred, name, TensorProto.FLOAT, [*source.outer, 1, 1, length])
