"""This module makes the optimiser of a training."""

import torch
from torch import nn

_BETAS = (0.9, 0.98)  # as in Vaswani et al., 2017


def adam(model: nn.Module, *, learning_rate: float) -> torch.optim.Adam:
    """Return Adam for all weights of a model; a weight without a gradient stays as it is.

    It is PyTorch's fused one, which reads and writes every weight once.
    """
    return torch.optim.Adam(
        model.parameters(), lr=learning_rate, betas=_BETAS, eps=1e-8, fused=True
    )
