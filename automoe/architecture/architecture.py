"""This module describes one sparse encoder-decoder Transformer as plain data.

A layer whose list of experts has one entry is dense, so no other field says which layers are
sparse.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from devices.yaml_json import FileContentError, parse_json

SCHEMA_VERSION = 1
MOST = 10**9  # of any size; larger ones are slips of the keyboard


class ArchitectureError(ValueError):
    """A description that is not an architecture; the message names the field and the value."""


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """A layer of self-attention and a feed-forward part.

    Attributes:
        heads: The number of self-attention heads; each is ``qkv_dim / heads`` wide.
        experts: The feed-forward width of each expert; a layer with one entry is dense.
    """

    heads: int
    experts: tuple[int, ...]

    @property
    def is_sparse(self) -> bool:
        """Return whether the layer has a router that chooses between experts."""
        return len(self.experts) > 1


@dataclass(frozen=True, slots=True)
class DecoderLayer(EncoderLayer):
    """A layer of self-attention, attention to the encoder and a feed-forward part.

    Attributes:
        cross_heads: The number of heads of the attention to the encoder.
        cross_span: The number of the last encoder layers that are attended to: 1, 2 or 3.
    """

    cross_heads: int
    cross_span: int


@dataclass(frozen=True, slots=True)
class Encoder:
    """The encoder, whose layers all have one width."""

    embed_dim: int
    layers: tuple[EncoderLayer, ...]


@dataclass(frozen=True, slots=True)
class Decoder:
    """The decoder, whose layers all have one width; it may differ from the encoder's."""

    embed_dim: int
    layers: tuple[DecoderLayer, ...]


_ENCODER_NUMBERS = ("heads",)
_DECODER_NUMBERS = ("heads", "cross_heads", "cross_span")
L = TypeVar("L", bound=EncoderLayer)


@dataclass(frozen=True, slots=True)
class Architecture:
    """An encoder and a decoder. Two architectures are equal when their content is equal.

    Attributes:
        encoder: The width and the layers of the encoder.
        decoder: The width and the layers of the decoder.
        qkv_dim: The width of queries, keys and values in every attention; the space fixes it.

    Raises:
        ArchitectureError: A number is out of range, or heads do not divide ``qkv_dim``.
    """

    encoder: Encoder
    decoder: Decoder
    qkv_dim: int = 512
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A search makes thousands of these, so a field's full name is built only for an error.
        _check_positive(self.qkv_dim, "qkv_dim")
        for name, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            _check_positive(stack.embed_dim, name, "embed_dim")
            if not stack.layers:
                raise ArchitectureError(f"'{name}.layers' must hold at least one layer. Got none.")
            for i, layer in enumerate(stack.layers):
                self._check_layer(layer, name, i)
        # A search looks thousands of architectures up in dictionaries, each one dozens of times.
        object.__setattr__(self, "_hash", hash((self.encoder, self.decoder, self.qkv_dim)))

    def __hash__(self) -> int:
        return self._hash

    def _check_layer(self, layer: EncoderLayer, *where: str | int) -> None:
        self._check_heads(layer.heads, *where, "heads")
        if not layer.experts:
            raise ArchitectureError(
                f"'{_named(*where, 'experts')}' must list at least one width. Got none."
            )
        for width in layer.experts:
            _check_positive(width, *where, "experts")
        if isinstance(layer, DecoderLayer):
            self._check_heads(layer.cross_heads, *where, "cross_heads")
            span = layer.cross_span
            if span not in (1, 2, 3) or span > len(self.encoder.layers):
                raise ArchitectureError(
                    f"'{_named(*where, 'cross_span')}' must be 1, 2 or 3 and at most the number "
                    f"of encoder layers ({len(self.encoder.layers)}). Got {span}."
                )

    def _check_heads(self, heads: int, *where: str | int) -> None:
        _check_positive(heads, *where)
        if self.qkv_dim % heads:
            raise ArchitectureError(
                f"'{_named(*where)}' must divide qkv_dim={self.qkv_dim}. Got {heads}; "
                "choose a divisor or set the architecture's own 'qkv_dim'."
            )

    @property
    def id(self) -> str:
        """Return twelve hexadecimal digits that depend on the content alone."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types, with lists where the fields hold tuples."""
        # `asdict` would copy every number deeply, and a search asks for thousands of ids.
        return {
            "schema_version": SCHEMA_VERSION,
            "encoder": _stack_content(self.encoder, _ENCODER_NUMBERS),
            "decoder": _stack_content(self.decoder, _DECODER_NUMBERS),
            "qkv_dim": self.qkv_dim,
        }

    def to_json(self) -> str:
        """Return the content as canonical JSON, with sorted keys and without spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Architecture":
        """Read what ``to_json`` wrote.

        Raises:
            ArchitectureError: The text is not JSON, or not an architecture.
        """
        try:
            return cls.from_dict(parse_json(text))
        except FileContentError as error:
            raise ArchitectureError(str(error)) from None

    @classmethod
    def from_dict(cls, content: Any) -> "Architecture":
        """Build an architecture from JSON types.

        Raises:
            ArchitectureError: A key is unknown or missing, or its value is not valid. The message
                names the key, its value and what was expected.
        """
        fields = _mapping("architecture", content, {"encoder", "decoder"}, {"qkv_dim"})
        version = fields.get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise ArchitectureError(
                f"'schema_version' must be {SCHEMA_VERSION}. Got {version!r}; upgrade automoe."
            )
        return cls(
            encoder=Encoder(*_stack("encoder", fields["encoder"], EncoderLayer, _ENCODER_NUMBERS)),
            decoder=Decoder(*_stack("decoder", fields["decoder"], DecoderLayer, _DECODER_NUMBERS)),
            qkv_dim=_integer("qkv_dim", fields.get("qkv_dim", 512)),
        )


def _stack(
    name: str, content: Any, layer_class: type[L], numbers: Sequence[str]
) -> tuple[int, tuple[L, ...]]:
    fields = _mapping(name, content, {"embed_dim", "layers"})
    return _integer(f"{name}.embed_dim", fields["embed_dim"]), tuple(
        layer_class(**_layer(f"{name}.layers[{i}]", layer, {*numbers}))
        for i, layer in enumerate(_list(f"{name}.layers", fields["layers"]))
    )


def _stack_content(stack: Encoder | Decoder, numbers: Sequence[str]) -> dict[str, Any]:
    layers = [
        {**{name: getattr(layer, name) for name in numbers}, "experts": list(layer.experts)}
        for layer in stack.layers
    ]
    return {"embed_dim": stack.embed_dim, "layers": layers}


def _layer(where: str, content: Any, numbers: set[str]) -> dict[str, Any]:
    fields = _mapping(where, content, numbers | {"experts"})
    experts = _list(f"{where}.experts", fields["experts"])
    return {
        **{name: _integer(f"{where}.{name}", fields[name]) for name in numbers},
        "experts": tuple(_integer(f"{where}.experts", width) for width in experts),
    }


def _mapping(
    where: str, content: Any, required: set[str], optional: set[str] | None = None
) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ArchitectureError(f"'{where}' must be a mapping. Got {content!r}.")
    known = required | (optional or set()) | {"schema_version"}
    if unknown := sorted(set(content) - known):
        raise ArchitectureError(
            f"'{where}' has an unknown key {unknown[0]!r}. Known keys: {', '.join(sorted(known))}."
        )
    if missing := sorted(required - set(content)):
        raise ArchitectureError(f"'{where}' lacks the key {missing[0]!r}. Add it.")
    return content


def _list(where: str, content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ArchitectureError(f"'{where}' must be a list. Got {content!r}.")
    return content


def _integer(where: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArchitectureError(f"'{where}' must be a whole number. Got {value!r}.")
    return value


def _check_positive(value: int, *where: str | int) -> None:
    if type(value) is int and 1 <= value <= MOST:
        return
    if not 1 <= _integer(_named(*where), value) <= MOST:
        bound = "at least 1" if value < 1 else f"at most {MOST}"
        raise ArchitectureError(f"'{_named(*where)}' must be {bound}. Got {value!r:.40}.")


def _named(*where: str | int) -> str:
    """Return ``encoder.layers[3].heads`` for ``encoder``, 3 and ``heads``."""
    parts = (f"layers[{part}]" if isinstance(part, int) else part for part in where)
    return ".".join(parts)
