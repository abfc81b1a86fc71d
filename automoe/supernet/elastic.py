"""This module has layers that use only the first of their weights, up to a given width.

Legend: ``*`` any leading dimensions, I and O widths in and out, D embedding width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FEW_ROWS = 64


def front(weight: Tensor, *sizes: int) -> Tensor:
    """Return the first entries of each dimension, or the weight itself when it has no more.

    A slice costs time even when it holds everything: its gradient is copied into zeros.
    """
    for dim, size in enumerate(sizes):
        if size < weight.shape[dim]:
            weight = weight.narrow(dim, 0, size)
    return weight


class ElasticLinear(nn.Linear):
    """A linear layer that uses the first rows and columns of its weight."""

    def forward(self, x_I: Tensor, out_dim: int | None = None) -> Tensor:
        """Map ``[*, I]`` to ``[*, O]``. O is ``out_dim``, by default the full width."""
        out_dim = self.out_features if out_dim is None else out_dim
        bias_O = None if self.bias is None else front(self.bias, out_dim)
        return F.linear(x_I, front(self.weight, out_dim, x_I.shape[-1]), bias_O)


def linear_of_all(x_I: Tensor, *layers: ElasticLinear) -> tuple[Tensor, ...]:
    """Return what each of the layers maps ``[*, I]`` to. One product computes them all.

    It needs a copy of their weights, which is not worth its time for a few rows.
    """
    if x_I.shape[:-1].numel() < _FEW_ROWS:
        return tuple(layer(x_I) for layer in layers)
    in_dim = x_I.shape[-1]
    weight_OI = torch.cat([front(x.weight, x.out_features, in_dim) for x in layers])
    out_O = F.linear(x_I, weight_OI, torch.cat([x.bias for x in layers]))
    return torch.split(out_O, [x.out_features for x in layers], dim=-1)


class ElasticLayerNorm(nn.LayerNorm):
    """A layer norm over the input's own width."""

    def forward(self, x_D: Tensor) -> Tensor:
        """Normalise the last dimension of ``[*, D]`` with the first D gains and biases."""
        dim = x_D.shape[-1]
        return F.layer_norm(x_D, (dim,), front(self.weight, dim), front(self.bias, dim), self.eps)


def embed(table_VD: Tensor, tokens: Tensor, dim: int, *, padding: int) -> Tensor:
    """Return the embeddings of ``[*]`` tokens, ``[*, dim]``, scaled by ``sqrt(dim)``.

    They are the first ``dim`` columns of the tokens' rows. Whole rows are read, because a slice of
    the table would have a second gradient of the table's size.
    """
    return F.embedding(tokens, table_VD, padding_idx=padding)[..., :dim] * math.sqrt(dim)


def positions(start: int, length: int, *, full_dim: int, dim: int) -> Tensor:
    """Return the sinusoids of ``length`` positions from ``start``, ``[length, dim]``.

    Sines fill the first half of ``full_dim`` and cosines the second, with wavelengths from
    2 pi to 10000 * 2 pi (Vaswani et al., 2017, section 3.5). The first ``dim`` columns are
    returned, so that a narrow subnet has the positions that it was trained with.
    """
    half = full_dim // 2
    rate_D = torch.exp(torch.arange(half) * (-math.log(10_000) / max(half - 1, 1)))
    angle_TD = torch.arange(start, start + length).unsqueeze(1) * rate_D
    table_TD = torch.cat((angle_TD.sin(), angle_TD.cos()), dim=1)
    return F.pad(table_TD, (0, full_dim - 2 * half))[:, :dim]
