"""This module draws mutations: children of an architecture in which some choices are redrawn."""

from collections.abc import Callable, Sequence
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
from automoe.architecture.choices import StackSpace
from automoe.architecture.sampling import draw_decoder_layer, draw_encoder_layer

if TYPE_CHECKING:  # a space calls these functions
    from automoe.architecture.space import SearchSpace

T = TypeVar("T")
L = TypeVar("L", bound=EncoderLayer)


def mutate(
    space: "SearchSpace", parent: Architecture, rng: Random, *, probability: float
) -> Architecture:
    """Return a child of ``parent`` in which each choice is redrawn with ``probability``.

    A deeper child gets new layers that are drawn at random. A shallower child loses the last
    ones.
    """
    redraw = partial(_redraw, rng=rng, probability=probability)
    experts = partial(_mutate_experts, space, rng=rng, probability=probability)
    encoder, decoder = space.encoder, space.decoder
    encoder_depth = redraw(len(parent.encoder.layers), encoder.layers)
    decoder_depth = redraw(len(parent.decoder.layers), decoder.layers)
    return Architecture(
        Encoder(
            redraw(parent.encoder.embed_dim, encoder.embed_dim),
            tuple(
                EncoderLayer(redraw(layer.heads, encoder.heads), experts(encoder, layer.experts))
                for layer in _resized(
                    parent.encoder.layers, encoder_depth, partial(draw_encoder_layer, space, rng)
                )
            ),
        ),
        Decoder(
            redraw(parent.decoder.embed_dim, decoder.embed_dim),
            tuple(
                DecoderLayer(
                    redraw(layer.heads, decoder.heads),
                    experts(decoder, layer.experts),
                    redraw(layer.cross_heads, decoder.cross_heads),
                    redraw(layer.cross_span, decoder.cross_span),
                )
                for layer in _resized(
                    parent.decoder.layers, decoder_depth, partial(draw_decoder_layer, space, rng)
                )
            ),
        ),
        space.qkv_dim,
    )


def _mutate_experts(
    space: "SearchSpace",
    stack: StackSpace,
    experts: tuple[int, ...],
    *,
    rng: Random,
    probability: float,
) -> tuple[int, ...]:
    counts = range(1, space.most_experts(stack) + 1)
    n_experts = _redraw(len(experts), counts, rng=rng, probability=probability)
    if not space.fractional:
        width = _redraw(experts[0], stack.ffn_dim, rng=rng, probability=probability)
        return (width,) * n_experts
    kept = () if rng.random() < probability else experts[:n_experts]
    return kept + tuple(rng.choice(stack.ffn_dim) for _ in range(n_experts - len(kept)))


def _redraw(value: T, choices: Sequence[T], *, rng: Random, probability: float) -> T:
    return rng.choice(choices) if rng.random() < probability else value


def _resized(layers: tuple[L, ...], depth: int, draw: Callable[[], L]) -> tuple[L, ...]:
    return layers[:depth] + tuple(draw() for _ in range(depth - len(layers)))
