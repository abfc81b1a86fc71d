"""This module takes tokens apart by sentence for attention, and puts them together again.

Everything but attention reads tokens one after another. Attention of one sentence must not see
another's.

Legend: T tokens, B sentences, S tokens of the longest sentence, Q qkv_dim, H heads, P head width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from automoe.export.graph import GraphBuilder


class Sentences(Protocol):
    """The sentences of the tokens that one run computes."""

    @property
    def is_apart(self) -> bool:
        """Whether values have a dimension for the sentence while they are apart."""
        ...

    def split(self, x_TQ: str, heads: int, head_dim: int) -> str:
        """Reshape ``[T, Q]`` to ``[T, H, P]``, or to ``[B, S, H, P]`` if sentences are apart."""
        ...

    def joined(self, x_BSHP: str) -> str:
        """Return the values of `split` as ``[T, Q]``."""
        ...


class SourceSentences(Sentences, Protocol):
    """The sentences that the encoder reads."""

    def stacked(self, layers_TD: Sequence[str]) -> tuple[str, Sentences]:
        """Return the outputs of several layers as one value, with its tokens by sentence.

        In each sentence all tokens of a layer follow those of the layer before.
        """
        ...


@dataclass(frozen=True, slots=True)
class OneLength:
    """Sentences of one length, whose number is fixed, as TensorRT translates them.

    Attributes:
        graph: The graph to which the nodes are added.
        batch: The number of sentences.
        dim: The width of the tokens.
        qkv_dim: Q.
    """

    graph: GraphBuilder
    batch: int
    dim: int
    qkv_dim: int

    @property
    def is_apart(self) -> bool:
        """See `Sentences`."""
        return self.batch > 1

    def split(self, x_TQ: str, heads: int, head_dim: int) -> str:
        """See `Sentences`."""
        shape = (self.batch, -1, heads, head_dim) if self.is_apart else (0, heads, head_dim)
        return self.graph.reshape(x_TQ, *shape)

    def joined(self, x_BSHP: str) -> str:
        """See `Sentences`."""
        return self.graph.reshape(x_BSHP, -1, self.qkv_dim)

    def stacked(self, layers_TD: Sequence[str]) -> tuple[str, Sentences]:
        """See `SourceSentences`."""
        if len(layers_TD) == 1:
            return layers_TD[0], self
        if not self.is_apart:
            return self.graph.op("Concat", *layers_TD, axis=0), self
        apart = [self.graph.reshape(x, self.batch, -1, self.dim) for x in layers_TD]
        joined = self.graph.op("Concat", *apart, axis=1)
        return self.graph.reshape(joined, -1, self.dim), self


@dataclass(frozen=True, slots=True)
class Packed:
    """Sentences of any lengths, whose tokens follow one another without padding.

    Attributes:
        graph: The graph to which the nodes are added.
        token_BS: The token at each position of each sentence; any token after a sentence's end.
        place_T: The place of each token among the ``B * S``.
        qkv_dim: Q.
    """

    graph: GraphBuilder
    token_BS: str
    place_T: str
    qkv_dim: int

    @property
    def is_apart(self) -> bool:
        """See `Sentences`."""
        return True

    def split(self, x_TQ: str, heads: int, head_dim: int) -> str:
        """See `Sentences`."""
        apart_BSQ = self.graph.op("Gather", x_TQ, self.token_BS, axis=0)
        return self.graph.reshape(apart_BSQ, 0, 0, heads, head_dim)

    def joined(self, x_BSHP: str) -> str:
        """See `Sentences`."""
        padded_PQ = self.graph.reshape(x_BSHP, -1, self.qkv_dim)
        return self.graph.op("Gather", padded_PQ, self.place_T, axis=0)

    def stacked(self, layers_TD: Sequence[str]) -> tuple[str, Sentences]:
        """See `SourceSentences`."""
        graph, token_BS = self.graph, self.token_BS
        if len(layers_TD) == 1:
            return layers_TD[0], self
        n_tokens, tokens = graph.once("Shape", self.place_T), [token_BS]
        for _ in layers_TD[1:]:
            tokens.append(graph.once("Add", tokens[-1], n_tokens))
        stacked_BS = graph.once("Concat", *tokens, axis=1)
        return graph.op("Concat", *layers_TD, axis=0), replace(self, token_BS=stacked_BS)


@dataclass(frozen=True, slots=True)
class EqualRows:
    """Sentences with as many rows each, such as hypotheses; their number is open.

    Attributes:
        graph: The graph to which the nodes are added.
        n_sentences: The input with the number of sentences, ``[1]``.
        qkv_dim: Q.
    """

    graph: GraphBuilder
    n_sentences: str
    qkv_dim: int

    @property
    def is_apart(self) -> bool:
        """See `Sentences`."""
        return True

    def split(self, x_TQ: str, heads: int, head_dim: int) -> str:
        """See `Sentences`."""
        rest = self.graph.integers(-1, heads, head_dim)
        shape = self.graph.once("Concat", self.n_sentences, rest, axis=0)
        return self.graph.op("Reshape", x_TQ, shape)

    def joined(self, x_BSHP: str) -> str:
        """See `Sentences`."""
        return self.graph.reshape(x_BSHP, -1, self.qkv_dim)
