"""This module crosses two architectures: the child takes each choice from one of its parents."""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)

if TYPE_CHECKING:  # a space calls this function
    from automoe.architecture.space import SearchSpace

T = TypeVar("T")
L = TypeVar("L", bound=EncoderLayer)


def crossover(
    space: "SearchSpace", left: Architecture, right: Architecture, rng: Random
) -> Architecture:
    """Return a child that takes each choice from either parent with equal probability.

    A layer that only one parent has comes from that parent.
    """
    either = partial(_either, rng=rng)
    return Architecture(
        Encoder(
            either(left.encoder.embed_dim, right.encoder.embed_dim),
            tuple(
                EncoderLayer(either(a.heads, b.heads), either(a.experts, b.experts))
                for a, b in _paired(left.encoder.layers, right.encoder.layers, rng)
            ),
        ),
        Decoder(
            either(left.decoder.embed_dim, right.decoder.embed_dim),
            tuple(
                DecoderLayer(
                    either(a.heads, b.heads),
                    either(a.experts, b.experts),
                    either(a.cross_heads, b.cross_heads),
                    either(a.cross_span, b.cross_span),
                )
                for a, b in _paired(left.decoder.layers, right.decoder.layers, rng)
            ),
        ),
        space.qkv_dim,
    )


def _either(left: T, right: T, *, rng: Random) -> T:
    """Return one of two values. Nothing is drawn when they are equal."""
    return left if left == right else rng.choice((left, right))


def _paired(left: tuple[L, ...], right: tuple[L, ...], rng: Random) -> Iterator[tuple[L, L]]:
    for i in range(_either(len(left), len(right), rng=rng)):
        yield (
            left[i] if i < len(left) else right[i],
            right[i] if i < len(right) else left[i],
        )
