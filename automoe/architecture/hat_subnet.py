"""This module reads the subnet files that HAT and AutoMoE publish.

HAT writes one list per gene (``decoder-ffn-embed-dim-all-subtransformer``). AutoMoE adds the
number of experts of each layer and, for experts of different widths, lists such as
``"'2048_1024'"``. The quotes in these lists vary from file to file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import (
    Architecture,
    ArchitectureError,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from devices.yaml_json import FileContentError, read_yaml

# HAT counts the encoder layers that are attended to beside the last one; -1 stands for none.
SPAN_OF_HAT = {-1: 1, 1: 2, 2: 3}
_SPAN_KEY = "decoder-arbitrary-ende-attn-all-subtransformer"
# An Architecture has no field for these switches, so only one value of each can be read.
_ONLY_VALUE = {
    "num-experts-to-route": (1, "only top-1 routing can be read"),
    "drop-mha-sublayer": (1, "dropped sublayers cannot be read"),
    "drop-ffn-sublayer": (1, "dropped sublayers cannot be read"),
    "std-vs-dummy-experts": (1, "identity experts cannot be read"),
}


def read_subnet_yaml(path: Path, *, qkv_dim: int = 512) -> Architecture:
    """Read a HAT or AutoMoE subnet file.

    Args:
        path: The YAML file.
        qkv_dim: The width of queries, keys and values. The files lack it; the papers use 512.

    Raises:
        ArchitectureError: The file is not such a subnet. The message names the file, the key and
            the value.
    """
    try:
        content = read_yaml(path)
        if any(key.endswith("-choice") for key in content):
            raise FileContentError(
                f"{path}: this is a search space, not an architecture. Draw from it with 'automoe "
                "sample'."
            )
    except FileContentError as error:
        raise ArchitectureError(str(error)) from None
    try:
        return _Genes(content).architecture(qkv_dim)
    except ArchitectureError as error:
        raise ArchitectureError(f"{path}: {error}") from None


def is_subnet_yaml(content: object) -> bool:
    """Return whether parsed YAML has a key of a HAT or AutoMoE subnet."""
    return isinstance(content, Mapping) and any(
        str(key).endswith("-subtransformer") for key in content
    )


class _Genes:
    """The lists of one file, each of which is checked when it is read."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def architecture(self, qkv_dim: int) -> Architecture:
        for stack in ("encoder", "decoder"):
            self._refuse_unsupported(stack)
        return Architecture(
            Encoder(self._integer("encoder-embed-dim-subtransformer"), self._encoder_layers()),
            Decoder(self._integer("decoder-embed-dim-subtransformer"), self._decoder_layers()),
            qkv_dim,
        )

    def _encoder_layers(self) -> tuple[EncoderLayer, ...]:
        heads = self._integers("encoder", "encoder-self-attention-heads-all-subtransformer")
        return tuple(
            EncoderLayer(h, e) for h, e in zip(heads, self._experts("encoder"), strict=True)
        )

    def _decoder_layers(self) -> tuple[DecoderLayer, ...]:
        columns = (
            self._integers("decoder", "decoder-self-attention-heads-all-subtransformer"),
            self._experts("decoder"),
            self._integers("decoder", "decoder-ende-attention-heads-all-subtransformer"),
            map(self._span, self._integers("decoder", _SPAN_KEY)),
        )
        return tuple(DecoderLayer(*genes) for genes in zip(*columns, strict=True))

    def _experts(self, stack: str) -> list[tuple[int, ...]]:
        widths = self._integers(stack, f"{stack}-ffn-embed-dim-all-subtransformer")
        if f"{stack}-n-experts" not in self._content:
            return [(width,) for width in widths]
        counts = self._integers(stack, f"{stack}-n-experts")
        key = f"{stack}-each-expert-ffn-dim-listoflist"
        if key not in self._content:
            return [(width,) * n for width, n in zip(widths, counts, strict=True)]
        lists = [self._widths(key, item) for item in self._list(stack, key)]
        return [self._first(key, w, n) for w, n in zip(lists, counts, strict=True)]

    @staticmethod
    def _first(key: str, widths: tuple[int, ...], n: int) -> tuple[int, ...]:
        # The search of the paper may write more widths than experts. Its model uses the first.
        if len(widths) < n:
            raise ArchitectureError(f"'{key}' must give {n} widths for this layer. Got {widths}.")
        return widths[:n]

    @staticmethod
    def _widths(key: str, item: object) -> tuple[int, ...]:
        parts = str(item).strip("'\" ").split("_")
        if not all(part.isdigit() for part in parts):
            raise ArchitectureError(f"'{key}' must hold items such as '2048_1024'. Got {item!r}.")
        return tuple(int(part) for part in parts)

    @staticmethod
    def _span(value: int) -> int:
        if value not in SPAN_OF_HAT:
            raise ArchitectureError(f"'{_SPAN_KEY}' must hold -1, 1 or 2. Got {value}.")
        return SPAN_OF_HAT[value]

    def _refuse_unsupported(self, stack: str) -> None:
        for name, (only, reason) in _ONLY_VALUE.items():
            key = f"{stack}-{name}"
            for value in self._integers(stack, key) if key in self._content else ():
                if value != only:
                    raise ArchitectureError(f"'{key}' must be {only}: {reason}. Got {value}.")

    def _integers(self, stack: str, key: str) -> list[int]:
        values = self._list(stack, key)
        for value in values:
            if not isinstance(value, int) or isinstance(value, bool):
                raise ArchitectureError(f"'{key}' must hold whole numbers. Got {value!r}.")
        return values

    def _list(self, stack: str, key: str) -> list[Any]:
        depth = self._integer(f"{stack}-layer-num-subtransformer")
        values = self._value(key)
        if not isinstance(values, list) or len(values) < depth:
            raise ArchitectureError(
                f"'{key}' must be a list with an entry for each of the {depth} layers. "
                f"Got {values!r}."
            )
        return values[:depth]

    def _integer(self, key: str) -> int:
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ArchitectureError(f"'{key}' must be a positive whole number. Got {value!r}.")
        return value

    def _value(self, key: str) -> Any:
        if key not in self._content:
            raise ArchitectureError(f"the key '{key}' is missing. Add it.")
        return self._content[key]
