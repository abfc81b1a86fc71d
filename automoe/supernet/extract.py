"""This module copies a stand-alone model out of a supernet."""

from dataclasses import replace

import torch

from automoe.architecture.architecture import Architecture
from automoe.supernet.transformer import Transformer


def extract(supernet: Transformer, architecture: Architecture) -> Transformer:
    """Return a model of this architecture alone, with a copy of its weights.

    A subnet uses the front slice of every weight in every dimension.

    Raises:
        ValueError: The architecture does not fit inside the supernet.
    """
    supernet.fitting(architecture)
    subnet = Transformer(replace(supernet.config, architecture=architecture))
    shared = dict(supernet.named_parameters())
    with torch.no_grad():
        for name, weight in subnet.named_parameters():
            front = tuple(slice(0, size) for size in weight.shape)
            weight.copy_(shared[name][front])
    return subnet.train(supernet.training)
