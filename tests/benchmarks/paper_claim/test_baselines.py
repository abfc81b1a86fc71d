from pathlib import Path

import pytest
from paper_claim.baselines import manual, switch
from paper_claim.config import ClaimConfig

from automoe.architecture.cost import cost
from automoe.architecture.space import SearchSpace

FOLDER = Path(__file__).parents[3] / "benchmarks/paper_claim"


@pytest.fixture
def space() -> SearchSpace:
    return ClaimConfig.load(FOLDER / "office.yaml").space


def test_the_manual_architecture_is_a_small_transformer_base(space: SearchSpace) -> None:
    architecture = manual(space)
    space.check(architecture)
    embed, ffn = 256, 1024
    assert (architecture.encoder.embed_dim, architecture.decoder.embed_dim) == (embed, embed)
    # Of a layer of Vaswani et al.: four projections, two matrices of the feed-forward part, and
    # the biases and norms of each; the decoder attends twice.
    attention, forward, norm = 4 * embed**2 + 4 * embed, 2 * embed * ffn + ffn + embed, 2 * embed
    encoder, decoder = attention + forward + 2 * norm, 2 * attention + forward + 3 * norm
    assert cost(architecture).params == 4 * encoder + 4 * decoder


def test_switch_has_experts_in_every_second_layer(space: SearchSpace) -> None:
    dense, sparse = manual(space), switch(space)
    space.check(sparse)
    for stack in (sparse.encoder, sparse.decoder):
        assert [len(layer.experts) for layer in stack.layers] == [1, 4, 1, 4]
        assert {width for layer in stack.layers for width in layer.experts} == {1024}
    # A token uses one expert, so only the routers cost more: two of each stack, 4 x (256 + 1).
    more = cost(sparse).active_params - cost(dense).active_params
    assert more == 4 * 4 * (256 + 1)
