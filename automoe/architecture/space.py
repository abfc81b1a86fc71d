"""This module describes a search space and draws architectures from it.

Drawing, mutation and crossover return new architectures. Each choice is drawn from the choices
that the space has, so every result is valid and nothing has to be drawn twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from automoe.architecture.architecture import (
    MOST,
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.space_yaml import fields_of_space, is_space_yaml
from automoe.architecture.subnet_yaml import is_subnet_yaml
from automoe.validation import NumberError, explain, require_numbers
from devices.yaml_json import FileContentError, parse_yaml

T = TypeVar("T")
L = TypeVar("L", bound=EncoderLayer)


def _distinct(choices: tuple[int, ...]) -> tuple[int, ...]:
    repeated = [choice for choice, n in Counter(choices).items() if n > 1]
    if repeated:
        raise ValueError(f"the choice {repeated[0]} is repeated; give each choice once")
    return choices


MOST_LAYERS, MOST_EXPERTS = 100, 1000
_MOST_BITS = 14_000  # of the number of architectures: Python writes up to 4300 digits

Size = Annotated[int, Field(ge=1, le=MOST)]
Experts = Annotated[int, Field(ge=1, le=MOST_EXPERTS)]
Choices = Annotated[
    tuple[Annotated[int, Field(ge=1, le=MOST, strict=True)], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]
Depths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=MOST_LAYERS, strict=True)], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]

PRESETS = ("wmt14-en-de", "wmt14-en-fr", "wmt19-en-de", "iwslt14-de-en", "tiny")


class SpaceError(ValueError):
    """A space that cannot be read, or an architecture that it does not hold."""


class _StackSpace(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    embed_dim: Choices
    layers: Depths
    heads: Choices
    ffn_dim: Choices
    max_experts: Annotated[Experts, Field(strict=True)] | None = None

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a limit that is not set, so that files are as they were before it existed."""
        fields: dict[str, Any] = serialize(self)
        return {key: value for key, value in fields.items() if value is not None}


class EncoderSpace(_StackSpace):
    """The encoder's choices. Each layer has its own heads and feed-forward widths."""


class DecoderSpace(_StackSpace):
    """The decoder's choices, which include those of the attention to the encoder."""

    cross_heads: Choices
    cross_span: Choices


class SearchSpace(BaseModel):
    """The choices of every dimension, and the sizes that all architectures share.

    Attributes:
        qkv_dim: The width of queries, keys and values in every attention.
        vocab_size: The number of rows of the embedding table.
        shared_embeddings: Whether source and target use one table.
        src_len: The number of source tokens of the sentence that costs and latencies are for.
        tgt_len: The number of target tokens of that sentence.
        max_experts: The largest number of experts in a layer; with 1 the space is dense. A stack
            that has a smaller limit of its own keeps that.
        fractional: Whether each expert has a width of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    qkv_dim: Size = 512
    vocab_size: Annotated[int, Field(ge=5, le=MOST)]
    shared_embeddings: bool = True
    src_len: Size = 30
    tgt_len: Size = 30
    encoder: EncoderSpace
    decoder: DecoderSpace
    max_experts: Experts = 1
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
        if self.count.bit_length() > _MOST_BITS:
            raise ValueError("the space has more than 10^4200 architectures; use fewer experts")
        return self

    @classmethod
    def preset(
        cls, name: str, *, max_experts: int | None = None, fractional: bool | None = None
    ) -> "SearchSpace":
        """Return a space that ships with the toolkit. It is dense unless experts are asked for.

        Raises:
            SpaceError: There is no such preset.
        """
        if name not in PRESETS:
            raise SpaceError(f"Unknown space '{name}'. Presets: {', '.join(PRESETS)}; or a file.")
        file = files("automoe").joinpath(f"presets/{name}.yaml")
        space = _parse(file.read_bytes(), where=name)
        return space.with_experts(max_experts, fractional=fractional)

    @classmethod
    def load(
        cls, name_or_file: str, *, max_experts: int | None = None, fractional: bool | None = None
    ) -> "SearchSpace":
        """Return the preset of that name, or the space of a YAML file.

        A file of HAT or AutoMoE (``space0.yml``) is accepted too.

        Raises:
            SpaceError: Neither exists, or the file is not valid. The message names the field and
                the value.
        """
        path = Path(name_or_file)
        if name_or_file in PRESETS or not path.is_file():
            return cls.preset(name_or_file, max_experts=max_experts, fractional=fractional)
        space = _parse(path.read_bytes(), where=name_or_file)
        return space.with_experts(max_experts, fractional=fractional)

    def with_experts(
        self, max_experts: int | None = None, *, fractional: bool | None = None
    ) -> "SearchSpace":
        """Return the space with another number or kind of experts; None changes nothing.

        Raises:
            SpaceError: ``max_experts`` is below one, or the space becomes too large.
        """
        if max_experts is not None and max_experts < 1:
            raise SpaceError(f"'max_experts' must be at least 1. Got {max_experts}.")
        given = {"max_experts": max_experts, "fractional": fractional}
        changed = {key: value for key, value in given.items() if value is not None}
        try:
            return self.model_validate(self.model_dump() | changed)
        except ValidationError as error:
            raise SpaceError(explain(error)) from None

    @property
    def count(self) -> int:
        """Return the exact number of architectures.

        The number is the product of the encoder's and the decoder's choices. A stack of depth d
        has one factor for each layer, and the counts of all depths are added. A layer's experts
        are an ordered list.
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

    def _most_experts(self, stack: _StackSpace) -> int:
        """Return the largest number of experts in a layer of a stack."""
        return min(self.max_experts, stack.max_experts or self.max_experts)

    def _expert_lists(self, stack: _StackSpace) -> int:
        widths = len(stack.ffn_dim)
        if self.fractional:
            return _sum_of_powers(widths, range(1, self._most_experts(stack) + 1))
        return widths * self._most_experts(stack)

    def sample(self, rng: Random) -> Architecture:
        """Draw an architecture. Every choice is drawn uniformly, as in the paper."""
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
        """Return a child of ``parent`` in which each choice is redrawn with ``probability``.

        A deeper child gets new layers that are drawn at random. A shallower child loses the last
        ones.
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
        """Return a child that takes each choice from either parent with equal probability.

        A layer that only one parent has comes from that parent.
        """
        either = partial(_either, rng=rng)
        return Architecture(
            Encoder(
                either(left.encoder.embed_dim, right.encoder.embed_dim),
                tuple(
                    EncoderLayer(either(a.heads, b.heads), either(a.experts, b.experts))
                    for a, b in _paired(left.encoder.layers, right.encoder.layers, rng)
                ),
            ),
            Decoder(
                either(left.decoder.embed_dim, right.decoder.embed_dim),
                tuple(
                    DecoderLayer(
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
        """Return the dense architecture with the smallest choice of every dimension."""
        return self._extreme(min, experts=1)

    def largest(self, *, experts: int | None = None) -> Architecture:
        """Return the architecture with the largest choice of every dimension.

        Each layer has ``experts`` experts, by default as many as the space allows. Every
        architecture of the space fits inside that one, which is the supernet's shape. With
        ``experts=1`` it is the largest dense architecture.
        """
        return self._extreme(max, experts=experts)

    def _extreme(
        self, pick: Callable[[Sequence[int]], int], *, experts: int | None
    ) -> Architecture:
        encoder, decoder = self.encoder, self.decoder
        in_encoder, in_decoder = (experts or self._most_experts(x) for x in (encoder, decoder))
        encoder_layer = EncoderLayer(pick(encoder.heads), (pick(encoder.ffn_dim),) * in_encoder)
        decoder_layer = DecoderLayer(
            pick(decoder.heads),
            (pick(decoder.ffn_dim),) * in_decoder,
            pick(decoder.cross_heads),
            pick(decoder.cross_span),
        )
        return Architecture(
            Encoder(pick(encoder.embed_dim), (encoder_layer,) * pick(encoder.layers)),
            Decoder(pick(decoder.embed_dim), (decoder_layer,) * pick(decoder.layers)),
            self.qkv_dim,
        )

    def check(self, architecture: Architecture) -> None:
        """Check that an architecture is one of this space.

        Raises:
            SpaceError: It is not. The message names the first field that differs, its value and
                the choices that the space has.
        """
        self._check_choice("qkv_dim", architecture.qkv_dim, (self.qkv_dim,))
        for name, stack in (("encoder", architecture.encoder), ("decoder", architecture.decoder)):
            choices: _StackSpace = getattr(self, name)
            self._check_choice(f"{name}.embed_dim", stack.embed_dim, choices.embed_dim)
            self._check_choice(f"number of {name}.layers", len(stack.layers), choices.layers)
            for i, layer in enumerate(stack.layers):
                self._check_layer(f"{name}.layers[{i}]", layer, choices)

    def _check_layer(self, where: str, layer: EncoderLayer, choices: _StackSpace) -> None:
        self._check_choice(f"{where}.heads", layer.heads, choices.heads)
        if isinstance(layer, DecoderLayer) and isinstance(choices, DecoderSpace):
            self._check_choice(f"{where}.cross_heads", layer.cross_heads, choices.cross_heads)
            self._check_choice(f"{where}.cross_span", layer.cross_span, choices.cross_span)
        counts = tuple(range(1, self._most_experts(choices) + 1))
        self._check_choice(f"number of {where}.experts", len(layer.experts), counts)
        for width in layer.experts:
            self._check_choice(f"{where}.experts", width, choices.ffn_dim)
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
        stack = self.encoder
        return EncoderLayer(rng.choice(stack.heads), self._draw_experts(stack, rng))

    def _decoder_layer(self, rng: Random) -> DecoderLayer:
        stack = self.decoder
        return DecoderLayer(
            rng.choice(stack.heads),
            self._draw_experts(stack, rng),
            rng.choice(stack.cross_heads),
            rng.choice(stack.cross_span),
        )

    def _draw_experts(self, stack: _StackSpace, rng: Random) -> tuple[int, ...]:
        n_experts = rng.randint(1, self._most_experts(stack))
        if self.fractional:
            return tuple(rng.choice(stack.ffn_dim) for _ in range(n_experts))
        return (rng.choice(stack.ffn_dim),) * n_experts

    def _mutate_experts(
        self, experts: tuple[int, ...], stack: _StackSpace, rng: Random, probability: float
    ) -> tuple[int, ...]:
        counts = range(1, self._most_experts(stack) + 1)
        n_experts = _redraw(len(experts), counts, rng=rng, probability=probability)
        if not self.fractional:
            width = _redraw(experts[0], stack.ffn_dim, rng=rng, probability=probability)
            return (width,) * n_experts
        kept = () if rng.random() < probability else experts[:n_experts]
        return kept + tuple(rng.choice(stack.ffn_dim) for _ in range(n_experts - len(kept)))


def _sum_of_powers(base: int, exponents: Iterable[int]) -> int:
    return sum(int(base**exponent) for exponent in exponents)


def _redraw(value: T, choices: Sequence[T], *, rng: Random, probability: float) -> T:
    return rng.choice(choices) if rng.random() < probability else value


def _either(left: T, right: T, *, rng: Random) -> T:
    """Return one of two values. Nothing is drawn when they are equal."""
    return left if left == right else rng.choice((left, right))


def _resized(layers: tuple[L, ...], depth: int, draw: Callable[[], L]) -> tuple[L, ...]:
    return layers[:depth] + tuple(draw() for _ in range(depth - len(layers)))


def _paired(left: tuple[L, ...], right: tuple[L, ...], rng: Random) -> Iterator[tuple[L, L]]:
    for i in range(_either(len(left), len(right), rng=rng)):
        yield (
            left[i] if i < len(left) else right[i],
            right[i] if i < len(right) else left[i],
        )


def _parse(content: bytes, *, where: str) -> SearchSpace:
    try:
        fields = parse_yaml(content, where=where)
        if is_subnet_yaml(fields):
            raise SpaceError(
                f"{where}: this is one architecture of HAT or AutoMoE, not a space. Give the space "
                "(supertransformer/space0.yml), or a preset."
            )
        if is_space_yaml(fields):
            fields = fields_of_space(fields, name=Path(where).stem, where=where)
        require_numbers(SearchSpace, fields)
        return SearchSpace.model_validate(fields)
    except FileContentError as error:
        raise SpaceError(str(error)) from None
    except NumberError as error:
        raise SpaceError(f"{where}: {error}") from None
    except ValidationError as error:
        raise SpaceError(f"{where}: {explain(error)}") from None
