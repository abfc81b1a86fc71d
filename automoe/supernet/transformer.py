"""This module is the Transformer, which runs any architecture that fits inside its shape.

The supernet and an extracted subnet are of the same class. A supernet's shape is the largest
architecture of its space. A subnet's shape is its own architecture.

Legend: B batch, S source, T target, V vocabulary, D decoder width, E encoder width, Q qkv_dim.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automoe.architecture.architecture import Architecture
from automoe.supernet.attention import causal_mask
from automoe.supernet.config import TransformerConfig
from automoe.supernet.dropout import dropout
from automoe.supernet.elastic import ElasticLayerNorm, ElasticLinear, embed, front, positions
from automoe.supernet.layers import ElasticDecoderLayer, ElasticEncoderLayer, LayerCache
from automoe.supernet.routing import Routing
from automoe.text.special_tokens import PAD

WIDEST_SPAN = 3
_USUAL_LENGTH = 256  # at least so many positions are computed at once


@dataclass(frozen=True, slots=True)
class Memory:
    """The encoder's outputs, which the decoder attends to.

    Attributes:
        layers: The outputs of the last encoder layers, the last one first, each ``[B, S, E]``.
        present_BS: A mask that is false for padding, or None when there is none.
        routing: The decisions of the encoder's sparse layers.
    """

    layers: tuple[Tensor, ...]
    present_BS: Tensor | None
    routing: tuple[Routing, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """The state from which the next token is decoded.

    Attributes:
        layers: The keys and values of each decoder layer.
        present_BS: A mask that is false where the encoder read padding, or None when it read none.
        length: The number of positions decoded so far.
    """

    layers: tuple[LayerCache, ...]
    present_BS: Tensor | None
    length: int


@dataclass(frozen=True, slots=True)
class Output:
    """The scores of the next token and the decisions of every sparse layer."""

    logits_BTV: Tensor
    routing: tuple[Routing, ...]

    @property
    def load_balancing_loss(self) -> Tensor:
        """Return the mean over sparse layers: 1 when balanced, 0 when the subnet is dense."""
        return self._mean([routing.load_balancing_loss for routing in self.routing])

    @property
    def z_loss(self) -> Tensor:
        """Return the mean over sparse layers, 0 when the subnet is dense."""
        return self._mean([routing.z_loss for routing in self.routing])

    def _mean(self, losses: list[Tensor]) -> Tensor:
        return torch.stack(losses).mean() if losses else self.logits_BTV.new_zeros(())


class Transformer(nn.Module):
    """The model, which is a supernet or a stand-alone model.

    Args:
        config: The shape and the regularisation.
        seed: The seed of the initial weights.
    """

    def __init__(self, config: TransformerConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        encoder, decoder = config.architecture.encoder, config.architecture.decoder
        vocab_size = config.vocab_size
        shared = config.shared_embeddings
        target_dim = max(encoder.embed_dim, decoder.embed_dim) if shared else decoder.embed_dim
        self.target_embedding = nn.Parameter(torch.empty(vocab_size, target_dim))
        self.source_embedding = (
            None if shared else nn.Parameter(torch.empty(vocab_size, encoder.embed_dim))
        )
        self.encoder = nn.ModuleList(
            ElasticEncoderLayer(layer, encoder.embed_dim, config) for layer in encoder.layers
        )
        self.decoder = nn.ModuleList(
            ElasticDecoderLayer(layer, decoder.embed_dim, config) for layer in decoder.layers
        )
        self.encoder_norm = ElasticLayerNorm(encoder.embed_dim) if config.pre_norm else None
        self.decoder_norm = ElasticLayerNorm(decoder.embed_dim) if config.pre_norm else None
        # It is no buffer: processes that train together would send it to each other every time.
        self._sinusoids_TD = torch.empty(0, config.position_dim)
        self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, rng: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, ElasticLinear):
                nn.init.xavier_uniform_(module.weight, generator=rng)
                nn.init.zeros_(module.bias)
        for table in (self.target_embedding, self.source_embedding):
            if table is not None:
                nn.init.normal_(table, std=table.shape[1] ** -0.5, generator=rng)
                nn.init.zeros_(table[PAD])

    def forward(
        self, source_BS: Tensor, target_BT: Tensor, architecture: Architecture | None = None
    ) -> Output:
        """Score every next token of ``target_BT`` given ``source_BS``.

        Args:
            source_BS: The source tokens, 0 for padding.
            target_BT: The target tokens, shifted right, 0 for padding.
            architecture: The subnet to run; None runs the full shape.

        Raises:
            ValueError: The architecture does not fit inside the model's shape.
        """
        memory = self.encode(source_BS, architecture)
        output, _ = self.decode(target_BT, self.start(memory, architecture), architecture)
        return Output(output.logits_BTV, memory.routing + output.routing)

    def encode(self, source_BS: Tensor, architecture: Architecture | None = None) -> Memory:
        """Run the encoder on ``[B, S]`` tokens."""
        encoder = self.fitting(architecture).encoder
        table = self.target_embedding if self.source_embedding is None else self.source_embedding
        present_BS = source_BS != PAD
        # Attention without a mask is faster, and most batches hold sentences of one length.
        mask_BS = None if bool(present_BS.all()) else present_BS
        mask_BHTS = _broadcast(mask_BS)
        full_dim = self.config.architecture.encoder.embed_dim
        x_BSE = self._embedded(source_BS, table, encoder.embed_dim, full_dim=full_dim, start=0)
        outputs, routing = [], []
        for module, layer in zip(self.encoder, encoder.layers, strict=False):
            x_BSE, decisions = module(x_BSE, layer, present_BS, mask_BHTS)
            outputs.append(x_BSE)
            routing += [decisions] if decisions else []
        last = outputs[: -WIDEST_SPAN - 1 : -1]
        if self.encoder_norm is not None:
            last = [self.encoder_norm(x) for x in last]
        return Memory(tuple(last), mask_BS, tuple(routing))

    def start(self, memory: Memory, architecture: Architecture | None = None) -> Cache:
        """Return the state before the first token, with the encoder's keys and values.

        A decoder layer of span a attends to the positions of the last a encoder layers, which
        follow one another.
        """
        caches = []
        layers = self.fitting(architecture).decoder.layers
        for module, layer in zip(self.decoder, layers, strict=False):
            span_BSE = torch.cat(memory.layers[: layer.cross_span], dim=1)
            cross = cast(ElasticDecoderLayer, module).cross.keys_values(span_BSE)
            caches.append(LayerCache(None, cross))
        return Cache(tuple(caches), memory.present_BS, 0)

    def decode(
        self, target_BT: Tensor, cache: Cache, architecture: Architecture | None = None
    ) -> tuple[Output, Cache]:
        """Score the token after each of ``target_BT``, ``[B, T]``, which follow those in the cache.

        The returned cache holds these tokens too.
        """
        decoder = self.fitting(architecture).decoder
        n_tokens = target_BT.shape[1]
        x_BTD = self._embedded(
            target_BT,
            self.target_embedding,
            decoder.embed_dim,
            full_dim=self.config.architecture.decoder.embed_dim,
            start=cache.length,
        )
        own_mask = None
        if cache.length and n_tokens > 1:
            own_mask = causal_mask(n_tokens, cache.length + n_tokens).to(x_BTD.device)
        present_BT = target_BT != PAD
        caches, routing = [], []
        for module, layer, past in zip(self.decoder, decoder.layers, cache.layers, strict=False):
            cross_mask = _broadcast(cache.present_BS, layer.cross_span)
            x_BTD, grown, decisions = module(
                x_BTD, layer, past, masks=(own_mask, cross_mask), present_BT=present_BT
            )
            caches.append(grown)
            routing += [decisions] if decisions else []
        if self.decoder_norm is not None:
            x_BTD = self.decoder_norm(x_BTD)
        table_VD = front(self.target_embedding, self.config.vocab_size, decoder.embed_dim)
        logits_BTV = F.linear(x_BTD, table_VD)
        grown_cache = Cache(tuple(caches), cache.present_BS, cache.length + n_tokens)
        return Output(logits_BTV, tuple(routing)), grown_cache

    def _embedded(
        self, tokens: Tensor, table_VD: Tensor, dim: int, *, full_dim: int, start: int
    ) -> Tensor:
        x = embed(table_VD, tokens, dim, padding=PAD)
        where_TD = self._positions(start + tokens.shape[1], x)[start:, :dim]
        return dropout(
            x + where_TD, self.config.dropout_at(dim, full_dim), is_training=self.training
        )

    def _positions(self, length: int, like: Tensor) -> Tensor:
        """Return the sinusoids of the first positions. They are kept for the next batches."""
        kept_TD = self._sinusoids_TD
        if len(kept_TD) < length or kept_TD.device != like.device or kept_TD.dtype != like.dtype:
            width = self.config.position_dim
            kept_TD = positions(0, max(length, _USUAL_LENGTH), full_dim=width, dim=width).to(like)
            self._sinusoids_TD = kept_TD
        return kept_TD[:length]

    def fitting(self, architecture: Architecture | None) -> Architecture:
        """Return the given architecture, or the full shape for None.

        Raises:
            ValueError: The architecture does not fit inside the model's shape.
        """
        shape = self.config.architecture
        if architecture is None or architecture == shape:
            return shape
        if not _fits(architecture, shape):
            raise ValueError(
                f"'architecture' must fit inside the model's shape {shape.id}. Got "
                f"{architecture.id}, which is wider, deeper or has more experts somewhere; "
                "check it against the space that the supernet was trained for."
            )
        return architecture


def _broadcast(mask_BS: Tensor | None, n_spans: int = 1) -> Tensor | None:
    """Return a mask of keys as attention takes it, for the keys of so many encoder layers."""
    return None if mask_BS is None else mask_BS.repeat(1, n_spans)[:, None, None, :]


def _fits(small: Architecture, large: Architecture) -> bool:
    stacks = ((small.encoder, large.encoder), (small.decoder, large.decoder))
    return small.qkv_dim == large.qkv_dim and all(
        a.embed_dim <= b.embed_dim
        and len(a.layers) <= len(b.layers)
        and all(
            _experts_fit(x.experts, y.experts) for x, y in zip(a.layers, b.layers, strict=False)
        )
        for a, b in stacks
    )


def _experts_fit(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    return len(small) <= len(large) and all(a <= b for a, b in zip(small, large, strict=False))
