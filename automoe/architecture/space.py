"""This module describes a search space: its choices, and how many and which architectures it has.

Architectures are drawn, mutated and crossed in `sampling`, `mutation` and `crossover`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automoe.architecture import crossover, mutation, sampling
from automoe.architecture.architecture import (
    MOST,
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.choices import DecoderSpace, EncoderSpace, Experts, Size, StackSpace
from automoe.architecture.space_files import PRESETS, fields_in, preset_content
from automoe.field_errors import FieldError, explain, validated
from devices.yaml_json import FileContentError

_MOST_BITS = 14_000  # of the number of architectures: Python writes up to 4300 digits


class SpaceError(ValueError):
    """A space that cannot be read, or an architecture that it does not hold."""


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
        space = cls._from_yaml(preset_content(name), where=name)
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
        space = cls._from_yaml(path.read_bytes(), where=name_or_file)
        return space.with_experts(max_experts, fractional=fractional)

    @classmethod
    def _from_yaml(cls, content: bytes, *, where: str) -> "SearchSpace":
        try:
            return validated(cls, fields_in(content, where=where))
        except FileContentError as error:
            raise SpaceError(str(error)) from None
        except FieldError as error:
            raise SpaceError(f"{where}: {error}") from None

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

    def most_experts(self, stack: StackSpace) -> int:
        """Return the largest number of experts in a layer of a stack."""
        return min(self.max_experts, stack.max_experts or self.max_experts)

    def _expert_lists(self, stack: StackSpace) -> int:
        widths = len(stack.ffn_dim)
        if self.fractional:
            return _sum_of_powers(widths, range(1, self.most_experts(stack) + 1))
        return widths * self.most_experts(stack)

    def sample(self, rng: Random) -> Architecture:
        """Draw an architecture. Every choice is drawn uniformly, as in the paper."""
        return sampling.sample(self, rng)

    def mutate(self, parent: Architecture, rng: Random, *, probability: float) -> Architecture:
        """Return a child of ``parent`` in which each choice is redrawn with ``probability``."""
        return mutation.mutate(self, parent, rng, probability=probability)

    def crossover(self, left: Architecture, right: Architecture, rng: Random) -> Architecture:
        """Return a child that takes each choice from either parent with equal probability."""
        return crossover.crossover(self, left, right, rng)

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
        in_encoder, in_decoder = (experts or self.most_experts(x) for x in (encoder, decoder))
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
            choices: StackSpace = getattr(self, name)
            self._check_choice(f"{name}.embed_dim", stack.embed_dim, choices.embed_dim)
            self._check_choice(f"number of {name}.layers", len(stack.layers), choices.layers)
            for i, layer in enumerate(stack.layers):
                self._check_layer(f"{name}.layers[{i}]", layer, choices)

    def _check_layer(self, where: str, layer: EncoderLayer, choices: StackSpace) -> None:
        self._check_choice(f"{where}.heads", layer.heads, choices.heads)
        if isinstance(layer, DecoderLayer) and isinstance(choices, DecoderSpace):
            self._check_choice(f"{where}.cross_heads", layer.cross_heads, choices.cross_heads)
            self._check_choice(f"{where}.cross_span", layer.cross_span, choices.cross_span)
        counts = tuple(range(1, self.most_experts(choices) + 1))
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


def _sum_of_powers(base: int, exponents: Iterable[int]) -> int:
    return sum(int(base**exponent) for exponent in exponents)
