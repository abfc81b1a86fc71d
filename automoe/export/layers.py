"""This module writes the nodes that encoder and decoder share: embeddings, attention, sublayers.

Legend: T tokens, B sentences, S positions attended to, D width, Q qkv_dim, H heads, P head width,
N experts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.architecture.routing_pattern import StackName
from automoe.export.experts import feed_forward
from automoe.export.graph import Dimension, GraphBuilder
from automoe.supernet import TransformerConfig


@dataclass(frozen=True, slots=True)
class Stack:
    """The encoder or the decoder while its layers are written.

    Attributes:
        graph: The graph to which the nodes are added.
        config: The model's shape.
        name: The name of the stack, which is also the prefix of its weights' names.
        n_tokens: The symbolic dimension of the tokens that one run computes.
        forced_routing: Whether an input decides the routing of each sparse layer.
        batch: The number of sentences that are translated together; all are of one length.
    """

    graph: GraphBuilder
    config: TransformerConfig
    name: StackName
    n_tokens: str
    forced_routing: bool
    batch: int = 1

    @property
    def dim(self) -> int:
        """Return the width of the stack's tokens."""
        both = self.config.architecture
        return (both.encoder if self.name == "encoder" else both.decoder).embed_dim

    @property
    def qkv_dim(self) -> int:
        """Return the width of queries, keys and values."""
        return self.config.architecture.qkv_dim

    def residual(self, x_TD: str, name: str, sublayer: Callable[[str], str]) -> str:
        """Return ``x`` plus the sublayer of it, with the norm before or after, as in the model."""
        norm = f"{self.name}.{name}_residual.norm"
        if self.config.pre_norm:
            return self.graph.op("Add", x_TD, sublayer(self.graph.norm(x_TD, norm, self.dim)))
        return self.graph.norm(self.graph.op("Add", x_TD, sublayer(x_TD)), norm, self.dim)

    def served(self, x_TD: str, layer: EncoderLayer, index: int) -> str:
        """Return ``x`` after the feed-forward part of layer ``index``.

        A sparse layer has each token's expert as the output ``expert_<index>``. With forced
        routing it has the input ``route_<index>``, ``[T, N]``, which is added to its router's
        logits.
        """
        graph, name = self.graph, f"{index}.feed_forward"
        bias_TN = None
        if self.forced_routing and layer.is_sparse:
            shape: list[Dimension] = [self.n_tokens, len(layer.experts)]
            bias_TN = graph.input(f"route_{index}", TensorProto.FLOAT, shape)

        def serve(y_TD: str) -> str:
            routed = feed_forward(
                graph, y_TD, layer, name=f"{self.name}.{name}", dim=self.dim, bias_TN=bias_TN
            )
            if routed.expert_T:
                expert = f"expert_{index}"
                graph.output(routed.expert_T, expert, TensorProto.INT64, [self.n_tokens])
            return routed.out_TD

        return self.residual(x_TD, name, serve)

    def split_heads(self, x_TQ: str, heads: int) -> str:
        """Reshape ``[T, Q]`` to ``[T, H, P]``, or to ``[B, T / B, H, P]`` for several sentences."""
        head_dim = self.qkv_dim // heads
        if self.batch > 1:
            return self.graph.reshape(x_TQ, self.batch, -1, heads, head_dim)
        return self.graph.reshape(x_TQ, 0, heads, head_dim)

    def heads_first(self, x_THP: str, *, transposed: bool = False) -> str:
        """Swap T and H of ``[(B,) T, H, P]``. ``transposed`` returns ``[(B,) H, P, T]``."""
        order = (1, 2, 0) if transposed else (1, 0, 2)
        several = (0, *(axis + 1 for axis in order))
        return self.graph.transpose(x_THP, *(several if self.batch > 1 else order))

    def attend(self, query: str, key: str, value: str, heads: int) -> str:
        """Add softmax attention of queries ``[.., T, P]`` to keys ``[.., P, S]``.

        The values are ``[.., S, P]``.
        """
        graph = self.graph
        scores = graph.op("MatMul", query, key)
        scaled = graph.op("Mul", scores, graph.scalar(1 / sqrt(self.qkv_dim // heads)))
        return graph.op("MatMul", graph.op("Softmax", scaled, axis=-1), value)


def embedded(
    stack: Stack, tokens_T: str, table: str, *, max_positions: int, position: str | None = None
) -> str:
    """Add the embeddings of tokens and positions, ``[T, D]``.

    Args:
        stack: The stack that reads them.
        tokens_T: The tokens.
        table: The name of the weight with a row for each piece of the vocabulary.
        max_positions: The number of rows of the table of positions.
        position: The position of all tokens, or None when positions count from zero in each
            sentence.
    """
    graph, dim, batch = stack.graph, stack.dim, stack.batch
    rows = graph.op("Gather", graph.weight(table, stack.config.vocab_size, dim), tokens_T, axis=0)
    scaled = graph.op("Mul", rows, graph.scalar(sqrt(dim)))
    table_PD = graph.weight(f"positions.{stack.name}", max_positions, dim)
    if position is None and graph.tensorrt is not None:
        return _with_first_positions(stack, scaled, tokens_T, table_PD)
    if position is None:
        length = graph.op("Squeeze", graph.op("Shape", tokens_T))
        zero, one = (graph.op("Squeeze", graph.integers(n)) for n in (0, 1))
        position = graph.op("Range", zero, length, one)
        if batch > 1:
            position = graph.op("Mod", position, graph.op("Div", length, graph.integers(batch)))
    return graph.op("Add", scaled, graph.op("Gather", table_PD, position, axis=0))


def _with_first_positions(stack: Stack, x_TD: str, tokens_T: str, table_PD: str) -> str:
    """Add the first positions to each sentence, without the operators Range and Mod."""
    graph, dim, batch = stack.graph, stack.dim, stack.batch
    length = graph.op("Shape", tokens_T)
    if batch > 1:
        length = graph.op("Div", length, graph.integers(batch))
    zero = graph.integers(0)
    first_SD = graph.op("Slice", table_PD, zero, length, zero)
    if batch == 1:
        return graph.op("Add", x_TD, first_SD)
    return graph.reshape(graph.op("Add", graph.reshape(x_TD, batch, -1, dim), first_SD), -1, dim)
