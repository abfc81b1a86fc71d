"""A plain dense Transformer, written as one would write it for speed with `torch.nn` alone.

It is the rival of `bench_training_speed.py`: no weight is sliced, one product computes queries,
keys and values, attention is PyTorch's own, without a mask where there is no padding.

Legend: B batch, S source, T target, D width, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD = 0


@dataclass(frozen=True)
class Shape:
    """The sizes of a model whose layers are all alike."""

    vocab_size: int
    dim: int
    qkv_dim: int
    heads: int
    ffn_dim: int
    encoder_layers: int
    decoder_layers: int
    dropout: float
    attention_dropout: float


class Attention(nn.Module):
    """Attention to itself, or to the encoder."""

    def __init__(self, shape: Shape, *, is_cross: bool) -> None:
        super().__init__()
        self.query = nn.Linear(shape.dim, shape.qkv_dim) if is_cross else None
        self.inner = nn.Linear(shape.dim, shape.qkv_dim * (2 if is_cross else 3))
        self.out = nn.Linear(shape.qkv_dim, shape.dim)
        self.heads = shape.heads
        self.dropout = shape.attention_dropout

    def forward(
        self, x_BTD: Tensor, memory_BSD: Tensor, mask: Tensor | None, *, is_causal: bool = False
    ) -> Tensor:
        """Return what ``x_BTD`` attends to in ``memory_BSD``, ``[B, T, D]``."""
        parts = list(self.inner(memory_BSD).chunk(3 if self.query is None else 2, dim=-1))
        if self.query is not None:
            parts.insert(0, self.query(x_BTD))
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=is_causal,
        )
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Layer(nn.Module):
    """A layer of the encoder or the decoder, with a layer norm after each sublayer."""

    def __init__(self, shape: Shape, *, is_decoder: bool) -> None:
        super().__init__()
        self.attention = Attention(shape, is_cross=False)
        self.cross = Attention(shape, is_cross=True) if is_decoder else None
        self.expand = nn.Linear(shape.dim, shape.ffn_dim)
        self.contract = nn.Linear(shape.ffn_dim, shape.dim)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.dim) for _ in range(3 if is_decoder else 2))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, memory: Tensor | None, mask: Tensor | None) -> Tensor:
        """Map ``[B, T, D]`` to ``[B, T, D]``; ``mask`` is of the encoder's positions."""
        if self.cross is None or memory is None:
            x = self.norms[0](x + self.dropout(self.attention(x, x, mask)))
        else:
            x = self.norms[0](x + self.dropout(self.attention(x, x, None, is_causal=True)))
            x = self.norms[1](x + self.dropout(self.cross(x, memory, mask)))
        hidden = F.relu(self.expand(x))
        out: Tensor = self.norms[-1](x + self.dropout(self.contract(hidden)))
        return out


class PlainTransformer(nn.Module):
    """A Transformer whose source, target and projection share one table."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.table = nn.Embedding(shape.vocab_size, shape.dim, padding_idx=PAD)
        nn.init.normal_(self.table.weight, std=shape.dim**-0.5)
        self.register_buffer("places", torch.randn(512, shape.dim))
        self.encoder, self.decoder = (
            nn.ModuleList(Layer(shape, is_decoder=is_decoder) for _ in range(n_layers))
            for n_layers, is_decoder in (
                (shape.encoder_layers, False),
                (shape.decoder_layers, True),
            )
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.scale = shape.dim**0.5

    def forward(self, source_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Return the scores of every next token, ``[B, T, V]``."""
        present = source_BS != PAD
        mask = None if bool(present.all()) else present[:, None, None, :]
        memory, x = self._embedded(source_BS), self._embedded(target_BT)
        for layer in self.encoder:
            memory = layer(memory, None, mask)
        for layer in self.decoder:
            x = layer(x, memory, mask)
        return F.linear(x, self.table.weight)

    def _embedded(self, tokens: Tensor) -> Tensor:
        places: Tensor = self.places[: tokens.shape[1]]
        out: Tensor = self.dropout(self.table(tokens) * self.scale + places)
        return out


class PlainTraining:
    """A plain model that makes one update for each batch, with PyTorch's fused Adam."""

    def __init__(self, shape: Shape, *, learning_rate: float, label_smoothing: float) -> None:
        self.model = PlainTransformer(shape).train()
        self.label_smoothing = label_smoothing
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=learning_rate, betas=(0.9, 0.98), fused=True
        )

    def update(self, source_BS: Tensor, target_in_BT: Tensor, target_out_BT: Tensor) -> None:
        """Learn from one batch."""
        loss = F.cross_entropy(
            self.model(source_BS, target_in_BT).flatten(0, 1),
            target_out_BT.flatten(),
            ignore_index=PAD,
            label_smoothing=self.label_smoothing,
        )
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
