"""The oracle: every architecture of a small space with its loss and its latency.

One row for each architecture, in the order of ``every_architecture``:

    id             of the architecture
    loss           cross-entropy on a part of the validation text, with a supernet's weights
    latency_ms     of the predictor fitted to ``latency.csv``
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.space import DecoderSpace, EncoderSpace, SearchSpace

L = TypeVar("L", bound=EncoderLayer)

FOLDER = Path(__file__).parent
SPACE = FOLDER / "space.yaml"
TABLE = FOLDER / "table.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """A space of which everything is known.

    Attributes:
        space: The space.
        architectures: All of it.
        loss_N: Of each.
        latency_ms_N: Of each.
        rows: The position of each.
    """

    space: SearchSpace
    architectures: tuple[Architecture, ...]
    loss_N: NDArray[np.float64]
    latency_ms_N: NDArray[np.float64]
    rows: Mapping[Architecture, int]

    @classmethod
    def read(cls) -> "Oracle":
        """The table that is kept beside this file.

        Raises:
            ValueError: It is of another space.
        """
        space = SearchSpace.load(str(SPACE))
        architectures = tuple(every_architecture(space))
        table = pd.read_csv(TABLE, dtype={"id": str})
        if [a.id for a in architectures] != list(table["id"]):
            raise ValueError(f"'{TABLE}' must hold all of '{SPACE}' in order. Build it anew.")
        rows = {a: row for row, a in enumerate(architectures)}
        return cls(
            space,
            architectures,
            table["loss"].to_numpy(),
            table["latency_ms"].to_numpy(),
            rows,
        )


def every_architecture(space: SearchSpace) -> Iterator[Architecture]:
    """Each architecture of a space with experts of one width per layer, once."""
    for width, layers in _stacks(space.encoder, list(_encoder_layers(space))):
        encoder = Encoder(width, layers)
        for hidden, decoder_layers in _stacks(space.decoder, list(_decoder_layers(space))):
            yield Architecture(encoder, Decoder(hidden, decoder_layers), space.qkv_dim)


def _stacks(
    part: EncoderSpace | DecoderSpace, choices: list[L]
) -> Iterator[tuple[int, tuple[L, ...]]]:
    for width, depth in product(part.embed_dim, part.layers):
        for layers in product(choices, repeat=depth):
            yield width, layers


def _encoder_layers(space: SearchSpace) -> Iterator[EncoderLayer]:
    part, counts = space.encoder, range(1, space.max_experts + 1)
    for heads, width, n_experts in product(part.heads, part.ffn_dim, counts):
        yield EncoderLayer(heads, (width,) * n_experts)


def _decoder_layers(space: SearchSpace) -> Iterator[DecoderLayer]:
    part = space.decoder
    for layer, cross_heads, span in product(
        _encoder_layers(space.model_copy(update={"encoder": part})),
        part.cross_heads,
        part.cross_span,
    ):
        yield DecoderLayer(layer.heads, layer.experts, cross_heads, span)
