"""The search space: the choices of every dimension, and how to draw from them.

Sampling, mutation and crossover return new values and never touch their parents; every choice
is drawn directly from what the space offers, so nothing loops until it is valid.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.validation import explain

T = TypeVar("T")
L = TypeVar("L", bound=EncoderLayer)
Choices = Annotated[tuple[Annotated[int, Field(ge=1, strict=True)], ...], Field(min_length=1)]

PRESETS = ("wmt14-en-de", "wmt14-en-fr", "wmt19-en-de", "iwslt14-de-en", "tiny")


class SpaceError(ValueError):
    """A space that cannot be read, or an architecture that it does not hold."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    embed_dim: Choices
    layers: Choices
    heads: Choices
    ffn_dim: Choices


class EncoderSpace(_Part):
    """The encoder's choices; each layer draws its own heads and feed-forward width."""


class DecoderSpace(_Part):
    """The decoder's choices, with those of the attention to the encoder."""

    cross_heads: Choices
    cross_span: Choices


class SearchSpace(BaseModel):
    """The choices of every dimension, and the sizes that all architectures share.

    Attributes:
        qkv_dim: Width of queries, keys and values in every attention.
        vocab_size: Rows of the embedding table.
        shared_embeddings: Whether source and target use one table.
        src_len: Source tokens of the sentence that costs and latencies are quoted for.
        tgt_len: Target tokens of that sentence.
        max_experts: Most experts in a layer; 1 is a dense space.
        fractional: Whether each expert has a width of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    qkv_dim: Annotated[int, Field(ge=1)] = 512
    vocab_size: Annotated[int, Field(ge=5)]
    shared_embeddings: bool = True
    src_len: Annotated[int, Field(ge=1)] = 30
    tgt_len: Annotated[int, Field(ge=1)] = 30
    encoder: EncoderSpace
    decoder: DecoderSpace
    max_experts: Annotated[int, Field(ge=1)] = 1
    fractional: bool = False

    @model_validator(mode="after")
    def _check(self) -> "SearchSpace":
        for heads in (*self.encoder.heads, *self.decoder.heads, *self.decoder.cross_heads):
            if self.qkv_dim % heads:
                raise ValueError(f"heads must divide qkv_dim={self.qkv_dim}. Got {heads}")
        widest = max(self.decoder.cross_span)
        if widest > min(3, *self.encoder.layers):
            raise ValueError(
                "decoder.cross_span must be at most 3 and at most the smallest number of "
                f"encoder layers ({min(self.encoder.layers)}). Got {widest}"
            )
        return self

    @classmethod
    def preset(
        cls, name: str, *, max_experts: int | None = None, fractional: bool | None = None
    ) -> "SearchSpace":
        """A space that ships with the toolkit, dense unless experts are asked for.

        Raises:
            SpaceError: There is no such preset.
        """
        if name not in PRESETS:
            raise SpaceError(f"Unknown space '{name}'. Presets: {', '.join(PRESETS)}; or a file.")
        space = _parse(files("automoe").joinpath(f"presets/{name}.yaml").read_text(), where=name)
        return space.with_experts(max_experts, fractional=fractional)

    @classmethod
    def load(
        cls, name_or_file: str, *, max_experts: int | None = None, fractional: bool | None = None
    ) -> "SearchSpace":
        """A preset by its name, or a space from a YAML file.

        Raises:
            SpaceError: Neither exists, or the file's field and value at fault.
        """
        path = Path(name_or_file)
        if name_or_file in PRESETS or not path.is_file():
            return cls.preset(name_or_file, max_experts=max_experts, fractional=fractional)
        space = _parse(path.read_text(encoding="utf-8"), where=name_or_file)
        return space.with_experts(max_experts, fractional=fractional)

    def with_experts(
        self, max_experts: int | None = None, *, fractional: bool | None = None
    ) -> "SearchSpace":
        """The same space with another number or kind of experts; ``None`` keeps what it has.

        Raises:
            SpaceError: ``max_experts`` is below one.
        """
        if max_experts is not None and max_experts < 1:
            raise SpaceError(f"'max_experts' must be at least 1. Got {max_experts}.")
        given = {"max_experts": max_experts, "fractional": fractional}
        return self.model_copy(update={k: v for k, v in given.items() if v is not None})

    @property
    def count(self) -> int:
        """The exact number of architectures.

        The product of the encoder's and the decoder's choices; a stack of depth d has one
        factor per layer, and depths add up. A layer's experts are an ordered list.
        """
        encoder, decoder = self.encoder, self.decoder
        encoder_layer = len(encoder.heads) * self._expert_lists(encoder)
        decoder_layer = len(decoder.heads) * self._expert_lists(decoder)
        decoder_layer *= len(decoder.cross_heads) * len(decoder.cross_span)
        return (
            len(encoder.embed_dim)
            * len(decoder.embed_dim)
            * _sum_of_powers(encoder_layer, encoder.layers)
            * _sum_of_powers(decoder_layer, decoder.layers)
        )

    def _expert_lists(self, part: _Part) -> int:
        widths = len(part.ffn_dim)
        if self.fractional:
            return _sum_of_powers(widths, range(1, self.max_experts + 1))
        return widths * self.max_experts

    def sample(self, rng: Random) -> Architecture:
        """Draw every choice uniformly, as the paper does."""
        encoder, decoder = self.encoder, self.decoder
        return Architecture(
            Encoder(
                rng.choice(encoder.embed_dim),
                tuple(self._encoder_layer(rng) for _ in range(rng.choice(encoder.layers))),
            ),
            Decoder(
                rng.choice(decoder.embed_dim),
                tuple(self._decoder_layer(rng) for _ in range(rng.choice(decoder.layers))),
            ),
            self.qkv_dim,
        )

    def mutate(self, parent: Architecture, rng: Random, *, probability: float) -> Architecture:
        """A child in which each choice is drawn anew with ``probability``.

        Layers that a deeper child gains are sampled; a shallower child drops the last ones.
        """
        redraw = partial(_redraw, rng=rng, probability=probability)
        encoder, decoder = self.encoder, self.decoder
        encoder_depth = redraw(len(parent.encoder.layers), encoder.layers)
        decoder_depth = redraw(len(parent.decoder.layers), decoder.layers)
        return Architecture(
            Encoder(
                redraw(parent.encoder.embed_dim, encoder.embed_dim),
                tuple(
                    EncoderLayer(
                        redraw(layer.heads, encoder.heads),
                        self._mutate_experts(layer.experts, encoder, rng, probability),
                    )
                    for layer in _resized(
                        parent.encoder.layers, encoder_depth, partial(self._encoder_layer, rng)
                    )
                ),
            ),
            Decoder(
                redraw(parent.decoder.embed_dim, decoder.embed_dim),
                tuple(
                    DecoderLayer(
                        redraw(layer.heads, decoder.heads),
                        self._mutate_experts(layer.experts, decoder, rng, probability),
                        redraw(layer.cross_heads, decoder.cross_heads),
                        redraw(layer.cross_span, decoder.cross_span),
                    )
                    for layer in _resized(
                        parent.decoder.layers, decoder_depth, partial(self._decoder_layer, rng)
                    )
                ),
            ),
            self.qkv_dim,
        )

    def crossover(self, left: Architecture, right: Architecture, rng: Random) -> Architecture:
        """A child that takes each choice from either parent with equal probability.

        Layers that only one parent has come from that parent.
        """
        either = partial(_either, rng=rng)
        return Architecture(
            Encoder(
                either(left.encoder.embed_dim, right.encoder.embed_dim),
                tuple(
                    a
                    if a == b
                    else EncoderLayer(either(a.heads, b.heads), either(a.experts, b.experts))
                    for a, b in _paired(left.encoder.layers, right.encoder.layers, rng)
                ),
            ),
            Decoder(
                either(left.decoder.embed_dim, right.decoder.embed_dim),
                tuple(
                    a
                    if a == b
                    else DecoderLayer(
                        either(a.heads, b.heads),
                        either(a.experts, b.experts),
                        either(a.cross_heads, b.cross_heads),
                        either(a.cross_span, b.cross_span),
                    )
                    for a, b in _paired(left.decoder.layers, right.decoder.layers, rng)
                ),
            ),
            self.qkv_dim,
        )

    def smallest(self) -> Architecture:
        """The least of every dimension, dense."""
        return self._extreme(min, experts=1)

    def largest(self, *, experts: int | None = None) -> Architecture:
        """The most of every dimension with ``experts`` in each layer (default: the most).

        Every architecture of the space fits inside it, which makes it the supernet's shape.
        With ``experts=1`` it is the largest dense architecture.
        """
        return self._extreme(max, experts=experts or self.max_experts)

    def _extreme(self, pick: Callable[[Sequence[int]], int], *, experts: int) -> Architecture:
        encoder, decoder = self.encoder, self.decoder
        encoder_layer = EncoderLayer(pick(encoder.heads), (pick(encoder.ffn_dim),) * experts)
        decoder_layer = DecoderLayer(
            pick(decoder.heads),
            (pick(decoder.ffn_dim),) * experts,
            pick(decoder.cross_heads),
            pick(decoder.cross_span),
        )
        return Architecture(
            Encoder(pick(encoder.embed_dim), (encoder_layer,) * pick(encoder.layers)),
            Decoder(pick(decoder.embed_dim), (decoder_layer,) * pick(decoder.layers)),
            self.qkv_dim,
        )

    def check(self, architecture: Architecture) -> None:
        """Accept an architecture of this space.

        Raises:
            SpaceError: Naming the first field, its value and the choices that the space has.
        """
        self._check_choice("qkv_dim", architecture.qkv_dim, (self.qkv_dim,))
        for side, stack in (("encoder", architecture.encoder), ("decoder", architecture.decoder)):
            part: _Part = getattr(self, side)
            self._check_choice(f"{side}.embed_dim", stack.embed_dim, part.embed_dim)
            self._check_choice(f"number of {side}.layers", len(stack.layers), part.layers)
            for i, layer in enumerate(stack.layers):
                self._check_layer(f"{side}.layers[{i}]", layer, part)

    def _check_layer(self, where: str, layer: EncoderLayer, part: _Part) -> None:
        self._check_choice(f"{where}.heads", layer.heads, part.heads)
        if isinstance(layer, DecoderLayer) and isinstance(part, DecoderSpace):
            self._check_choice(f"{where}.cross_heads", layer.cross_heads, part.cross_heads)
            self._check_choice(f"{where}.cross_span", layer.cross_span, part.cross_span)
        counts = tuple(range(1, self.max_experts + 1))
        self._check_choice(f"number of {where}.experts", len(layer.experts), counts)
        for width in layer.experts:
            self._check_choice(f"{where}.experts", width, part.ffn_dim)
        if not self.fractional and len(set(layer.experts)) > 1:
            raise SpaceError(
                f"'{where}.experts' must have one width in '{self.name}'. Got {layer.experts}; "
                "a fractional space (--fractional) allows several."
            )

    def _check_choice(self, where: str, value: int, choices: tuple[int, ...]) -> None:
        if value not in choices:
            raise SpaceError(
                f"'{where}' must be one of {list(choices)} in the space '{self.name}' "
                f"(max_experts={self.max_experts}). Got {value}."
            )

    def _encoder_layer(self, rng: Random) -> EncoderLayer:
        part = self.encoder
        return EncoderLayer(rng.choice(part.heads), self._sample_experts(part, rng))

    def _decoder_layer(self, rng: Random) -> DecoderLayer:
        part = self.decoder
        return DecoderLayer(
            rng.choice(part.heads),
            self._sample_experts(part, rng),
            rng.choice(part.cross_heads),
            rng.choice(part.cross_span),
        )

    def _sample_experts(self, part: _Part, rng: Random) -> tuple[int, ...]:
        n_experts = rng.randint(1, self.max_experts)
        if self.fractional:
            return tuple(rng.choice(part.ffn_dim) for _ in range(n_experts))
        return (rng.choice(part.ffn_dim),) * n_experts

    def _mutate_experts(
        self, experts: tuple[int, ...], part: _Part, rng: Random, probability: float
    ) -> tuple[int, ...]:
        counts = range(1, self.max_experts + 1)
        n_experts = _redraw(len(experts), counts, rng=rng, probability=probability)
        fresh = (part.ffn_dim,) * n_experts
        if not self.fractional:
            width = _redraw(experts[0], part.ffn_dim, rng=rng, probability=probability)
            return (width,) * n_experts
        kept = () if rng.random() < probability else experts[:n_experts]
        return kept + tuple(rng.choice(choices) for choices in fresh[len(kept) :])


def _sum_of_powers(base: int, exponents: Iterable[int]) -> int:
    return sum(int(base**exponent) for exponent in exponents)


def _redraw(value: T, choices: Sequence[T], *, rng: Random, probability: float) -> T:
    return rng.choice(choices) if rng.random() < probability else value


def _either(left: T, right: T, *, rng: Random) -> T:
    """Return one of two; values that are equal need no draw."""
    return left if left == right else rng.choice((left, right))


def _resized(layers: tuple[L, ...], depth: int, sample: Callable[[], L]) -> tuple[L, ...]:
    return layers[:depth] + tuple(sample() for _ in range(depth - len(layers)))


def _paired(left: tuple[L, ...], right: tuple[L, ...], rng: Random) -> Iterator[tuple[L, L]]:
    for i in range(_either(len(left), len(right), rng=rng)):
        yield (
            left[i] if i < len(left) else right[i],
            right[i] if i < len(right) else left[i],
        )


def _parse(text: str, *, where: str) -> SearchSpace:
    try:
        return SearchSpace.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SpaceError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise SpaceError(f"{where}: {explain(error)}") from None
