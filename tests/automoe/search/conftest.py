from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload


def size_of(architecture: Architecture) -> float:
    """All expert widths together: an integer that stands for a latency."""
    stacks = (architecture.encoder, architecture.decoder)
    return float(sum(w for stack in stacks for layer in stack.layers for w in layer.experts))


class TableLatency:
    """A latency model whose milliseconds are known by hand: predicted, and a tenth more."""

    workload = TranslationWorkload.of(small_space())

    def predict(
        self,
        architectures: Sequence[Architecture],
        *,
        confidence: float = 0.95,
        searched: bool = False,
    ) -> pd.DataFrame:
        predicted = np.array([size_of(a) for a in architectures])
        return pd.DataFrame(
            {"predicted_ms": predicted, "lower_ms": 0.9 * predicted, "upper_ms": 1.1 * predicted}
        )

    def upper_ms(
        self, architectures: Sequence[Architecture], *, confidence: float = 0.95
    ) -> np.ndarray:
        return self.predict(architectures)["upper_ms"].to_numpy()


def wants_width(architecture: Architecture) -> float:
    """A fitness against the budget: wide experts and many heads are better."""
    heads = sum(layer.heads for layer in architecture.encoder.layers)
    return -size_of(architecture) - heads / 100


@pytest.fixture
def space() -> SearchSpace:
    return small_space()


@pytest.fixture
def latency() -> TableLatency:
    return TableLatency()
