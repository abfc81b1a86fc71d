"""This module describes architectures by vectors of whole numbers for other search libraries.

A gene is the position of a choice in the space's list. A dimension with one choice has no gene. The
layers that a shallow architecture lacks have genes as well, but these change nothing.
"""

from collections.abc import Iterator, Sequence

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.choices import DecoderSpace, EncoderSpace
from automoe.architecture.space import SearchSpace

Genes = tuple[int, ...]


class Genome:
    """The genes of a space.

    Args:
        space: The space, whose layers have experts of one width.

    Attributes:
        sizes: The number of choices of each gene.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._choices = [*_choices(space, space.encoder), *_choices(space, space.decoder)]
        self._known: dict[Genes, Architecture] = {}
        self.sizes = tuple(len(choices) for choices in self._choices if len(choices) > 1)

    def decode(self, genes: Sequence[int]) -> Architecture:
        """Return the architecture of the genes."""
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
    """Return the choices of every dimension, in all layers of the deepest stack."""
    layer: list[Sequence[int]] = [part.heads, part.ffn_dim, range(1, space.max_experts + 1)]
    if isinstance(part, DecoderSpace):
        layer += [part.cross_heads, part.cross_span]
    return [part.embed_dim, part.layers, *max(part.layers) * layer]


def _stack(
    values: Iterator[int], deepest: int, *, n_values: int
) -> tuple[int, list[tuple[int, ...]]]:
    """Return the width and the layers of one stack."""
    width, depth = next(values), next(values)
    layers = [tuple(next(values) for _ in range(n_values)) for _ in range(deepest)]
    return width, layers[:depth]
