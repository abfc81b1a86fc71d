"""This module designs the architectures that no search chose."""

from dataclasses import replace

from automoe.architecture.architecture import Architecture, Decoder, Encoder
from automoe.architecture.space import SearchSpace


def manual(space: SearchSpace) -> Architecture:
    """Return the counterpart of Transformer-base (Vaswani et al., 2017).

    All layers are dense and as wide as the space allows. The decoder attends to the encoder's last
    layer alone.
    """
    largest = space.largest(experts=1)
    layers = tuple(replace(layer, cross_span=1) for layer in largest.decoder.layers)
    return replace(largest, decoder=Decoder(largest.decoder.embed_dim, layers))


def switch(space: SearchSpace) -> Architecture:
    """Return the manual architecture with experts in every second layer, from the second one on.

    Switch Transformer (Fedus et al., 2021, section 3.1) replaces every other feed-forward layer.
    Each sparse layer has as many experts as the space allows, all of full width.
    """
    dense = manual(space)
    encoder, decoder = (
        tuple(
            replace(layer, experts=layer.experts * n_experts) if place % 2 else layer
            for place, layer in enumerate(stack.layers)
        )
        for stack, n_experts in (
            (dense.encoder, space.most_experts(space.encoder)),
            (dense.decoder, space.most_experts(space.decoder)),
        )
    )
    return replace(
        dense,
        encoder=Encoder(dense.encoder.embed_dim, encoder),
        decoder=Decoder(dense.decoder.embed_dim, decoder),
    )


def baseline(name: str, space: SearchSpace) -> Architecture:
    """Return the baseline of that name and check that the space holds it."""
    architecture = {"manual": manual, "switch": switch}[name](space)
    space.check(architecture)
    return architecture
