"""This module computes attention with any number of heads and a fixed width of all together.

Legend: B batch, T queries, S keys, D query width, E key width, H heads, Q = qkv_dim.
"""

from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automoe.supernet.dropout import dropout
from automoe.supernet.elastic import ElasticLinear, linear_of_all

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
        key_BSQ, value_BSQ = linear_of_all(memory_BSE, self.key, self.value)
        return key_BSQ, value_BSQ

    def queries_keys_values(self, x_BTD: Tensor) -> tuple[Tensor, KeysValues]:
        """Return queries, and keys and values, of what attends to itself, each ``[B, T, Q]``."""
        query_BTQ, key_BTQ, value_BTQ = linear_of_all(x_BTD, self.query, self.key, self.value)
        return query_BTQ, (key_BTQ, value_BTQ)

    def forward(
        self,
        query_BTQ: Tensor,
        keys_values: KeysValues,
        *,
        heads: int,
        dim: int,
        mask_BHTS: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return what the queries attend to, ``[B, T, dim]``.

        ``mask_BHTS`` is broadcast. It is true where a query may attend to a key; None lets all
        attend to all, or to themselves and what is before them if ``is_causal``.
        """
        on_processor = query_BTQ.device.type == "cpu"
        if self.training and self.dropout and on_processor:
            attend = partial(_attended, dropout_p=self.dropout)
        else:
            attend = partial(
                F.scaled_dot_product_attention, dropout_p=self.dropout if self.training else 0.0
            )
        parts: tuple[Tensor, ...] = (query_BTQ, *keys_values)
        # PyTorch's attention on a processor is several times slower in bfloat16, most of all its
        # gradient, although the products around it are faster.
        is_mixed = on_processor and torch.is_autocast_enabled("cpu")
        if is_mixed:
            parts = tuple(part.float() for part in parts)
        query_BHTQ, key_BHSQ, value_BHSQ = (_split(part, heads) for part in parts)
        with torch.autocast("cpu", enabled=False) if is_mixed else nullcontext():
            mixed_BHTQ = attend(
                query_BHTQ, key_BHSQ, value_BHSQ, attn_mask=mask_BHTS, is_causal=is_causal
            )
        mixed: Tensor = self.out(mixed_BHTQ.transpose(1, 2).flatten(2), dim)
        return mixed


def _attended(
    query_BHTQ: Tensor,
    key_BHSQ: Tensor,
    value_BHSQ: Tensor,
    *,
    attn_mask: Tensor | None,
    is_causal: bool,
    dropout_p: float,
) -> Tensor:
    """Return what PyTorch's function computes, which has no fast way of dropping on a processor."""
    score_BHTS = (query_BHTQ * query_BHTQ.shape[-1] ** -0.5) @ key_BHSQ.transpose(-1, -2)
    if is_causal:
        attn_mask = causal_mask(*score_BHTS.shape[-2:])
    if attn_mask is not None:
        barred = torch.zeros(attn_mask.shape, dtype=score_BHTS.dtype)
        score_BHTS += barred.masked_fill_(~attn_mask, -torch.inf)
    return dropout(score_BHTS.softmax(dim=-1), dropout_p, is_training=True) @ value_BHSQ


def _split(x_BTQ: Tensor, heads: int) -> Tensor:
    n_batch, n_positions, _ = x_BTQ.shape
    return x_BTQ.view(n_batch, n_positions, heads, -1).transpose(1, 2)


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """Return a mask ``[T, S]`` for the last ``n_queries`` of ``n_keys`` positions.

    It is true for the position itself and all earlier ones.
    """
    ones_TS = torch.ones(n_queries, n_keys, dtype=torch.bool)
    return ones_TS.tril(n_keys - n_queries)
