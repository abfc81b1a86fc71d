"""Architectures as vectors of whole numbers, which is what other search libraries take.

A gene is the position of a choice in the space's list. Dimensions with one choice have none. A
layer that a shallow architecture lacks has genes all the same, which change nothing.
"""

from collections.abc import Iterator, Sequence

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.space import DecoderSpace, EncoderSpace, SearchSpace

Genes = tuple[int, ...]


class Genome:
    """What genes stand for.

    Args:
        space: With experts of one width per layer.

    Attributes:
        sizes: The number of choices of each gene.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._choices = [*_choices(space, space.encoder), *_choices(space, space.decoder)]
        self._known: dict[Genes, Architecture] = {}
        self.sizes = tuple(len(choices) for choices in self._choices if len(choices) > 1)

    def decode(self, genes: Sequence[int]) -> Architecture:
        """The architecture that genes stand for."""
        key = tuple(map(int, genes))
        if key not in self._known:
            self._known[key] = self._built(key)
        return self._known[key]

    def _built(self, genes: Genes) -> Architecture:
        space, given = self._space, iter(genes)
        values = iter([c[next(given)] if len(c) > 1 else c[0] for c in self._choices])
        width, layers = _stack(values, max(space.encoder.layers), n_values=3)
        encoder = Encoder(width, tuple(EncoderLayer(h, (f,) * n) for h, f, n in layers))
        width, layers = _stack(values, max(space.decoder.layers), n_values=5)
        decoder = Decoder(width, tuple(DecoderLayer(h, (f,) * n, *x) for h, f, n, *x in layers))
        return Architecture(encoder, decoder, space.qkv_dim)


def _choices(space: SearchSpace, part: EncoderSpace | DecoderSpace) -> list[Sequence[int]]:
    """Of every dimension, in all layers of the deepest stack."""
    layer: list[Sequence[int]] = [part.heads, part.ffn_dim, range(1, space.max_experts + 1)]
    if isinstance(part, DecoderSpace):
        layer += [part.cross_heads, part.cross_span]
    return [part.embed_dim, part.layers, *max(part.layers) * layer]


def _stack(
    values: Iterator[int], deepest: int, *, n_values: int
) -> tuple[int, list[tuple[int, ...]]]:
    """The width and the layers of one side."""
    width, depth = next(values), next(values)
    layers = [tuple(next(values) for _ in range(n_values)) for _ in range(deepest)]
    return width, layers[:depth]
