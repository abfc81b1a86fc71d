"""One sparse encoder-decoder Transformer, described as plain data.

An expert list of length one is a dense layer, so where the experts sit is part of the
description and needs no extra field.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1


class ArchitectureError(ValueError):
    """A description that is not an architecture; the message names the field and the value."""


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """Self-attention, then a feed-forward part.

    Attributes:
        heads: Self-attention heads; each is ``qkv_dim / heads`` wide.
        experts: Feed-forward width of each expert; one entry is a dense layer.
    """

    heads: int
    experts: tuple[int, ...]

    @property
    def is_sparse(self) -> bool:
        """Whether a router has to choose between experts here."""
        return len(self.experts) > 1


@dataclass(frozen=True, slots=True)
class DecoderLayer(EncoderLayer):
    """Self-attention, attention to the encoder, then a feed-forward part.

    Attributes:
        cross_heads: Heads of the attention to the encoder.
        cross_span: How many of the last encoder layers are attended to: 1, 2 or 3.
    """

    cross_heads: int
    cross_span: int


@dataclass(frozen=True, slots=True)
class Encoder:
    """The encoder: one width for all layers."""

    embed_dim: int
    layers: tuple[EncoderLayer, ...]


@dataclass(frozen=True, slots=True)
class Decoder:
    """The decoder: one width for all layers, independent of the encoder's."""

    embed_dim: int
    layers: tuple[DecoderLayer, ...]


@dataclass(frozen=True, slots=True)
class Architecture:
    """An encoder and a decoder; equal when their content is equal.

    Attributes:
        encoder: Width and layers of the encoder.
        decoder: Width and layers of the decoder.
        qkv_dim: Width of queries, keys and values in every attention, fixed by the space.

    Raises:
        ArchitectureError: A number is out of range, or heads do not divide ``qkv_dim``.
    """

    encoder: Encoder
    decoder: Decoder
    qkv_dim: int = 512
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A search makes thousands: names of fields are put together only for a refusal.
        _check_positive(self.qkv_dim, "qkv_dim")
        for side, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            _check_positive(part.embed_dim, side, "embed_dim")
            if not part.layers:
                raise ArchitectureError(f"'{side}.layers' must hold at least one layer. Got none.")
            for i, layer in enumerate(part.layers):
                self._check_layer(layer, side, i)
        # A search looks each of thousands up dozens of times, and would go through every layer.
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
        """Twelve hexadecimal digits that depend on the content alone."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """The content as JSON types, lists where the fields hold tuples."""
        # By hand: `asdict` copies every number deeply, and a search asks for thousands of ids.
        return {
            "schema_version": SCHEMA_VERSION,
            "encoder": _stack_content(self.encoder, ("heads",)),
            "decoder": _stack_content(self.decoder, ("heads", "cross_heads", "cross_span")),
            "qkv_dim": self.qkv_dim,
        }

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Architecture":
        """Read what ``to_json`` wrote.

        Raises:
            ArchitectureError: The text is not JSON, or not an architecture.
        """
        try:
            return cls.from_dict(json.loads(text))
        except json.JSONDecodeError as error:
            raise ArchitectureError(f"not valid JSON: {error}") from None

    @classmethod
    def from_dict(cls, content: Any) -> "Architecture":
        """Build from JSON types, refusing unknown and missing keys.

        Raises:
            ArchitectureError: Naming the key at fault, its value and what was expected.
        """
        fields = _mapping("architecture", content, {"encoder", "decoder"}, {"qkv_dim"})
        version = fields.get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise ArchitectureError(
                f"'schema_version' must be {SCHEMA_VERSION}. Got {version!r}; upgrade automoe."
            )
        encoder = _mapping("encoder", fields["encoder"], {"embed_dim", "layers"})
        decoder = _mapping("decoder", fields["decoder"], {"embed_dim", "layers"})
        return cls(
            encoder=Encoder(
                _integer("encoder.embed_dim", encoder["embed_dim"]),
                tuple(
                    EncoderLayer(**_layer(f"encoder.layers[{i}]", layer, {"heads"}))
                    for i, layer in enumerate(_list("encoder.layers", encoder["layers"]))
                ),
            ),
            decoder=Decoder(
                _integer("decoder.embed_dim", decoder["embed_dim"]),
                tuple(
                    DecoderLayer(
                        **_layer(
                            f"decoder.layers[{i}]", layer, {"heads", "cross_heads", "cross_span"}
                        )
                    )
                    for i, layer in enumerate(_list("decoder.layers", decoder["layers"]))
                ),
            ),
            qkv_dim=_integer("qkv_dim", fields.get("qkv_dim", 512)),
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
    if type(value) is int and value >= 1:
        return
    if _integer(_named(*where), value) < 1:
        raise ArchitectureError(f"'{_named(*where)}' must be at least 1. Got {value}.")


def _named(*where: str | int) -> str:
    """``encoder.layers[3].heads`` for ``encoder``, 3 and ``heads``."""
    parts = (f"layers[{part}]" if isinstance(part, int) else part for part in where)
    return ".".join(parts)
