"""This module reads the oracle: every architecture of a small space with its loss and latency.

The table has a row for each architecture, in the order of ``every_architecture``:

    id             the id of the architecture
    loss           the cross-entropy on a part of the validation text, with a supernet's weights
    latency_ms     the prediction of a predictor that was fitted to ``latency.csv``
"""

from collections.abc import Iterator, Mapping, Sequence
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
from automoe.architecture.choices import DecoderSpace, EncoderSpace
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload

L = TypeVar("L", bound=EncoderLayer)

FOLDER = Path(__file__).parent
SPACE = FOLDER / "space.yaml"
TABLE = FOLDER / "table.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """A space with the loss and the latency of every architecture.

    Attributes:
        space: The space.
        architectures: All architectures of the space.
        loss_N: The loss of each architecture.
        latency_ms_N: The latency of each architecture in milliseconds.
        rows: The position of each architecture in the other attributes.
    """

    space: SearchSpace
    architectures: tuple[Architecture, ...]
    loss_N: NDArray[np.float64]
    latency_ms_N: NDArray[np.float64]
    rows: Mapping[Architecture, int]

    @classmethod
    def read(cls) -> "Oracle":
        """Read the table beside this file.

        Raises:
            ValueError: The table is of another space.
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
    """Yield each architecture of a space whose layers have experts of one width, once."""
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


class TableLatency:
    """The oracle's latencies in place of a `LatencyModel`. Its bounds are the latencies."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.workload = TranslationWorkload.of(oracle.space)

    def upper_ms(
        self, architectures: Sequence[Architecture], *, confidence: float
    ) -> NDArray[np.float64]:
        """Return the latencies of architectures in milliseconds."""
        return self._oracle.latency_ms_N[[self._oracle.rows[a] for a in architectures]]

    def predict(
        self, architectures: Sequence[Architecture], *, confidence: float, searched: bool
    ) -> pd.DataFrame:
        """Return a table with the latency of each architecture and its bounds."""
        latency_ms = self.upper_ms(architectures, confidence=confidence)
        return pd.DataFrame(dict.fromkeys(("predicted_ms", "lower_ms", "upper_ms"), latency_ms))
