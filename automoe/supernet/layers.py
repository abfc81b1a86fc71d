"""This module runs an encoder layer or a decoder layer at the size of an architecture.

Legend: B batch, S source, T target, D decoder width, E encoder width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automoe.architecture.architecture import DecoderLayer, EncoderLayer
from automoe.supernet.attention import ElasticAttention, KeysValues
from automoe.supernet.config import TransformerConfig
from automoe.supernet.dropout import dropout
from automoe.supernet.elastic import ElasticLayerNorm
from automoe.supernet.feed_forward import ExpertLayer
from automoe.supernet.routing import Routing


@dataclass(frozen=True, slots=True)
class LayerCache:
    """The keys and values of one decoder layer.

    Attributes:
        own: The keys and values of the positions decoded so far, or None before the first one.
        cross: The keys and values of the encoder's outputs.
    """

    own: KeysValues | None
    cross: KeysValues


class _Residual(nn.Module):
    """A module that adds a sublayer to its input, with a layer norm after it or before it."""

    def __init__(self, dim: int, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = ElasticLayerNorm(dim)
        self.config = config
        self.pre_norm = config.pre_norm

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``x`` plus the sublayer of it, normalised; both are ``[B, T, D]``."""
        if self.pre_norm:
            return x + self._dropped(sublayer(self.norm(x)))
        out: Tensor = self.norm(x + self._dropped(sublayer(x)))
        return out

    def _dropped(self, y: Tensor) -> Tensor:
        share = self.config.dropout_at(y.shape[-1], self.norm.normalized_shape[0])
        return dropout(y, share, is_training=self.training)


class ElasticEncoderLayer(nn.Module):
    """A layer of self-attention and experts."""

    def __init__(self, shape: EncoderLayer, dim: int, config: TransformerConfig) -> None:
        super().__init__()
        qkv_dim, dropout = config.architecture.qkv_dim, config.attention_dropout
        self.attention = ElasticAttention(dim, dim, qkv_dim, dropout=dropout)
        self.attention_residual = _Residual(dim, config)
        self.feed_forward = ExpertLayer(
            dim,
            shape.experts,
            top_k=config.top_k,
            jitter=config.router_jitter,
            dropout=config.expert_dropout,
        )
        self.feed_forward_residual = _Residual(dim, config)

    def forward(
        self, x_BSE: Tensor, layer: EncoderLayer, present_BS: Tensor, mask_BHTS: Tensor | None
    ) -> tuple[Tensor, Routing | None]:
        """Run the slice that ``layer`` describes.

        ``present_BS`` is false for padding. ``mask_BHTS`` is true where a position may be attended
        to, or None where all may.
        """

        def attend(y_BSE: Tensor) -> Tensor:
            query_BSQ, keys_values = self.attention.queries_keys_values(y_BSE)
            out: Tensor = self.attention(
                query_BSQ, keys_values, heads=layer.heads, dim=y_BSE.shape[-1], mask_BHTS=mask_BHTS
            )
            return out

        x_BSE = self.attention_residual(x_BSE, attend)
        return _run_experts(self.feed_forward, self.feed_forward_residual, x_BSE, layer, present_BS)


class ElasticDecoderLayer(nn.Module):
    """A layer of self-attention, attention to the encoder, and experts."""

    def __init__(self, shape: DecoderLayer, dim: int, config: TransformerConfig) -> None:
        super().__init__()
        memory_dim = config.architecture.encoder.embed_dim
        qkv_dim, dropout = config.architecture.qkv_dim, config.attention_dropout
        self.attention = ElasticAttention(dim, dim, qkv_dim, dropout=dropout)
        self.attention_residual = _Residual(dim, config)
        self.cross = ElasticAttention(dim, memory_dim, qkv_dim, dropout=dropout)
        self.cross_residual = _Residual(dim, config)
        self.feed_forward = ExpertLayer(
            dim,
            shape.experts,
            top_k=config.top_k,
            jitter=config.router_jitter,
            dropout=config.expert_dropout,
        )
        self.feed_forward_residual = _Residual(dim, config)

    def forward(
        self,
        x_BTD: Tensor,
        layer: DecoderLayer,
        cache: LayerCache,
        *,
        masks: tuple[Tensor | None, Tensor | None],
        present_BT: Tensor,
    ) -> tuple[Tensor, LayerCache, Routing | None]:
        """Run the slice that ``layer`` describes for the positions after those in ``cache``.

        The two masks are true where own positions and the encoder's may be attended to. They are
        None where all may. Without a cache a position attends to itself and those before it.
        """
        own_mask, cross_mask = masks
        past, dim = cache.own, x_BTD.shape[-1]
        grown = past

        def attend(y_BTD: Tensor) -> Tensor:
            nonlocal grown
            query_BTQ, fresh = self.attention.queries_keys_values(y_BTD)
            grown = fresh if past is None else _appended(past, fresh)
            out: Tensor = self.attention(
                query_BTQ,
                grown,
                heads=layer.heads,
                dim=dim,
                mask_BHTS=own_mask,
                is_causal=past is None,
            )
            return out

        def attend_to_encoder(y_BTD: Tensor) -> Tensor:
            query_BTQ, heads = self.cross.query(y_BTD), layer.cross_heads
            out: Tensor = self.cross(
                query_BTQ, cache.cross, heads=heads, dim=dim, mask_BHTS=cross_mask
            )
            return out

        x_BTD = self.attention_residual(x_BTD, attend)
        x_BTD = self.cross_residual(x_BTD, attend_to_encoder)
        x_BTD, routing = _run_experts(
            self.feed_forward, self.feed_forward_residual, x_BTD, layer, present_BT
        )
        return x_BTD, LayerCache(grown, cache.cross), routing


def _appended(past: KeysValues, fresh: KeysValues) -> KeysValues:
    return torch.cat((past[0], fresh[0]), dim=1), torch.cat((past[1], fresh[1]), dim=1)


def _run_experts(
    experts: ExpertLayer, residual: _Residual, x: Tensor, layer: EncoderLayer, present: Tensor
) -> tuple[Tensor, Routing | None]:
    routing: Routing | None = None

    def serve(y: Tensor) -> Tensor:
        nonlocal routing
        out: Tensor
        out, routing = experts(y, layer.experts, present)
        return out

    x = residual(x, serve)
    return x, routing
