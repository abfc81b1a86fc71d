from random import Random

import pytest
import torch
from support.models import randomise_norms

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig


@pytest.fixture
def supernet(tiny: SearchSpace, torch_rng: torch.Generator) -> Transformer:
    config = TransformerConfig.for_space(tiny, vocab_size=50, dropout=0.0)
    model = Transformer(config, seed=1)
    randomise_norms(model, torch_rng)
    return model


@pytest.fixture
def subnet(tiny: SearchSpace) -> Architecture:
    rng = Random(5)
    drawn = (tiny.sample(rng) for _ in range(100))
    return next(
        a
        for a in drawn
        if len(a.decoder.layers) == 2
        and a.decoder.layers[0].is_sparse
        and a.encoder.layers[1].is_sparse
    )
