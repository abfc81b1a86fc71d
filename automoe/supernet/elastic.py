"""This module has layers that use only the first of their weights, up to a given width.

Legend: ``*`` any leading dimensions, I and O widths in and out, D embedding width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ElasticLinear(nn.Linear):
    """A linear layer that uses the first rows and columns of its weight."""

    def forward(self, x_I: Tensor, out_dim: int | None = None) -> Tensor:
        """Map ``[*, I]`` to ``[*, O]``. O is ``out_dim``, by default the full width."""
        out_dim = self.out_features if out_dim is None else out_dim
        bias_O = None if self.bias is None else self.bias[:out_dim]
        return F.linear(x_I, self.weight[:out_dim, : x_I.shape[-1]], bias_O)


class ElasticLayerNorm(nn.LayerNorm):
    """A layer norm over the input's own width."""

    def forward(self, x_D: Tensor) -> Tensor:
        """Normalise the last dimension of ``[*, D]`` with the first D gains and biases."""
        dim = x_D.shape[-1]
        return F.layer_norm(x_D, (dim,), self.weight[:dim], self.bias[:dim], self.eps)


def embed(table_VD: Tensor, tokens: Tensor, dim: int, *, padding: int) -> Tensor:
    """Return the embeddings of ``[*]`` tokens, ``[*, dim]``, scaled by ``sqrt(dim)``.

    They are the first ``dim`` columns of the tokens' rows.
    """
    return F.embedding(tokens, table_VD[:, :dim], padding_idx=padding) * math.sqrt(dim)


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
