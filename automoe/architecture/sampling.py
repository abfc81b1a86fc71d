"""This module draws random architectures of a space.

Each choice is drawn from the choices that the space has, so every draw is valid. The functions for
one layer serve mutations as well.
"""

from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.choices import StackSpace

if TYPE_CHECKING:  # a space calls these functions
    from automoe.architecture.space import SearchSpace

_DRAWS_PER_ARCHITECTURE = 100  # until a space counts as exhausted


def sample(space: "SearchSpace", rng: Random) -> Architecture:
    """Draw an architecture. Every choice is drawn uniformly, as in the paper."""
    encoder, decoder = space.encoder, space.decoder
    return Architecture(
        Encoder(
            rng.choice(encoder.embed_dim),
            tuple(draw_encoder_layer(space, rng) for _ in range(rng.choice(encoder.layers))),
        ),
        Decoder(
            rng.choice(decoder.embed_dim),
            tuple(draw_decoder_layer(space, rng) for _ in range(rng.choice(decoder.layers))),
        ),
        space.qkv_dim,
    )


def draw_distinct(
    space: "SearchSpace", n: int, seed: int | str, *, first: Iterable[Architecture] = ()
) -> list[Architecture]:
    """Return up to ``n`` distinct architectures: ``first``, then random ones.

    A larger ``n`` adds architectures at the end. There are fewer when the space has no more.
    """
    rng = Random(seed)
    distinct = dict.fromkeys(first)
    for _ in range(_DRAWS_PER_ARCHITECTURE * n):
        if len(distinct) >= n:
            break
        distinct[space.sample(rng)] = None
    return list(distinct)


def draw_encoder_layer(space: "SearchSpace", rng: Random) -> EncoderLayer:
    """Draw a layer of the encoder."""
    stack = space.encoder
    return EncoderLayer(rng.choice(stack.heads), _draw_experts(space, stack, rng))


def draw_decoder_layer(space: "SearchSpace", rng: Random) -> DecoderLayer:
    """Draw a layer of the decoder."""
    stack = space.decoder
    return DecoderLayer(
        rng.choice(stack.heads),
        _draw_experts(space, stack, rng),
        rng.choice(stack.cross_heads),
        rng.choice(stack.cross_span),
    )


def _draw_experts(space: "SearchSpace", stack: StackSpace, rng: Random) -> tuple[int, ...]:
    n_experts = rng.randint(1, space.most_experts(stack))
    if space.fractional:
        return tuple(rng.choice(stack.ffn_dim) for _ in range(n_experts))
    return (rng.choice(stack.ffn_dim),) * n_experts
