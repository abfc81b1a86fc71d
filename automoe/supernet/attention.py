"""This module computes attention with any number of heads and a fixed width of all together.

Legend: B batch, T queries, S keys, D query width, E key width, H heads, Q = qkv_dim.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automoe.supernet.elastic import ElasticLinear

KeysValues = tuple[Tensor, Tensor]


class ElasticAttention(nn.Module):
    """Attention that projects any input width to ``qkv_dim`` and back.

    The number of heads divides ``qkv_dim``. It changes neither the weights nor the FLOPs.
    """

    def __init__(self, dim: int, memory_dim: int, qkv_dim: int, *, dropout: float) -> None:
        super().__init__()
        self.query = ElasticLinear(dim, qkv_dim)
        self.key = ElasticLinear(memory_dim, qkv_dim)
        self.value = ElasticLinear(memory_dim, qkv_dim)
        self.out = ElasticLinear(qkv_dim, dim)
        self.dropout = dropout

    def keys_values(self, memory_BSE: Tensor) -> KeysValues:
        """Return keys and values of what is attended to, each ``[B, S, Q]``."""
        return self.key(memory_BSE), self.value(memory_BSE)

    def forward(
        self, x_BTD: Tensor, keys_values: KeysValues, heads: int, mask_BHTS: Tensor | None
    ) -> Tensor:
        """Return the attention of ``x_BTD``, ``[B, T, D]``.

        ``mask_BHTS`` is broadcast. It is true where a query may attend to a key.
        """
        query_BHTQ = _split(self.query(x_BTD), heads)
        key_BHSQ, value_BHSQ = (_split(part, heads) for part in keys_values)
        mixed_BHTQ = F.scaled_dot_product_attention(
            query_BHTQ,
            key_BHSQ,
            value_BHSQ,
            attn_mask=mask_BHTS,
            dropout_p=self.dropout if self.training else 0.0,
        )
        mixed: Tensor = self.out(mixed_BHTQ.transpose(1, 2).flatten(2), x_BTD.shape[-1])
        return mixed


def _split(x_BTQ: Tensor, heads: int) -> Tensor:
    n_batch, n_positions, _ = x_BTQ.shape
    return x_BTQ.view(n_batch, n_positions, heads, -1).transpose(1, 2)


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """Return a mask ``[T, S]`` for the last ``n_queries`` of ``n_keys`` positions.

    It is true for the position itself and all earlier ones.
    """
    ones_TS = torch.ones(n_queries, n_keys, dtype=torch.bool)
    return ones_TS.tril(n_keys - n_queries)
