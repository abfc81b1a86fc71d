from pathlib import Path
from random import Random

import pytest
import torch

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.space import SearchSpace


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread() -> None:
    # Threads of torch starve each other on a busy machine and add nothing to models this small.
    torch.set_num_threads(1)


@pytest.fixture
def rng() -> Random:
    return Random(7)


@pytest.fixture
def torch_rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture
def tiny() -> SearchSpace:
    return SearchSpace.preset("tiny", max_experts=4, fractional=True)


@pytest.fixture
def sparse() -> Architecture:
    """One sparse and one dense layer on each side, every width different."""
    return Architecture(
        Encoder(24, (EncoderLayer(2, (16, 48, 32)), EncoderLayer(4, (64,)))),
        Decoder(
            20,
            (DecoderLayer(4, (8, 40), cross_heads=2, cross_span=2), DecoderLayer(2, (24,), 4, 1)),
        ),
        qkv_dim=16,
    )


@pytest.fixture
def published_subnets() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data" / "hat"
    if not folder.is_dir():
        pytest.skip("the published HAT subnets are not beside this checkout (shared/data/hat)")
    return folder
