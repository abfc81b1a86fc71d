"""This module writes the nodes that encoder and decoder share: embeddings, attention, sublayers.

Tokens of several sentences follow one another without padding, so that nothing but attention
computes for a token that is not there.

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
from automoe.export.sentences import Sentences
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
        sentences: The sentences of these tokens.
    """

    graph: GraphBuilder
    config: TransformerConfig
    name: StackName
    n_tokens: str
    forced_routing: bool
    sentences: Sentences

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
        """Return ``[T, Q]`` by sentence and head, see `Sentences.split`."""
        return self.sentences.split(x_TQ, heads, self.qkv_dim // heads)

    def heads_first(self, x_THP: str, *, transposed: bool = False) -> str:
        """Swap T and H of ``[(B,) T, H, P]``. ``transposed`` returns ``[(B,) H, P, T]``."""
        order = (1, 2, 0) if transposed else (1, 0, 2)
        several = (0, *(axis + 1 for axis in order))
        return self.graph.transpose(x_THP, *(several if self.sentences.is_apart else order))

    def joined(self, mixed_HTP: str) -> str:
        """Return what the heads of `attend` mixed as ``[T, Q]``."""
        return self.sentences.joined(self.heads_first(mixed_HTP))

    def attend(
        self, query: str, key: str, value: str, heads: int, *, barred: str | None = None
    ) -> str:
        """Add softmax attention of queries ``[.., T, P]`` to keys ``[.., P, S]``.

        The values are ``[.., S, P]``. What is ``barred`` is added to the scores: 0 where a query
        may attend, and else a number so low that the weight is zero.
        """
        graph = self.graph
        scores = graph.op("MatMul", query, key)
        scaled = graph.op("Mul", scores, graph.scalar(1 / sqrt(self.qkv_dim // heads)))
        if barred is not None:
            scaled = graph.op("Add", scaled, barred)
        return graph.op("MatMul", graph.op("Softmax", scaled, axis=-1), value)


def embedded(stack: Stack, tokens_T: str, table: str) -> str:
    """Return the embeddings of tokens, ``[T, D]``, from the named weight with a row for each."""
    graph, dim = stack.graph, stack.dim
    rows = graph.op("Gather", graph.weight(table, stack.config.vocab_size, dim), tokens_T, axis=0)
    return graph.op("Mul", rows, graph.scalar(sqrt(dim)))
