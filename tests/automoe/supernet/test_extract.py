from random import Random

import pytest
import torch
from support.models import randomise_norms, tokens

from automoe.architecture.space import SearchSpace
from automoe.architecture.space_files import PRESETS
from automoe.supernet import Transformer, TransformerConfig, extract


def check_subnets(space: SearchSpace, n_subnets: int, **changes: object) -> None:
    torch_rng = torch.Generator().manual_seed(3)
    config = TransformerConfig.for_space(space, vocab_size=50, dropout=0.0, **changes)
    supernet = Transformer(config, seed=1).eval()
    randomise_norms(supernet, torch_rng)
    source, target = tokens(torch_rng, 9, 6), tokens(torch_rng, 7, 5)
    rng = Random(11)
    for _ in range(n_subnets):
        architecture = space.sample(rng)
        with torch.no_grad():
            shared = supernet(source, target, architecture).logits_BTV
            alone = extract(supernet, architecture)(source, target).logits_BTV
        assert (shared - alone).abs().max() < 1e-5
        assert shared.std() > 0.1


@pytest.mark.parametrize("fractional", [False, True])
def test_tiny_subnets_equal_their_extraction(fractional: bool) -> None:
    check_subnets(SearchSpace.preset("tiny", max_experts=4, fractional=fractional), 8)


@pytest.mark.parametrize(
    "changes", [{"pre_norm": True}, {"top_k": 2}, {"shared_embeddings": False}]
)
def test_options_keep_the_equality(changes: dict[str, object]) -> None:
    check_subnets(SearchSpace.preset("tiny", max_experts=3, fractional=True), 3, **changes)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "tiny"])
def test_subnets_of_every_preset_equal_their_extraction(name: str) -> None:
    check_subnets(SearchSpace.preset(name, max_experts=2, fractional=True), 2)


def test_extraction_holds_a_copy_of_just_its_weights(
    supernet: Transformer, tiny: SearchSpace
) -> None:
    smallest = extract(supernet, tiny.smallest())
    assert sum(w.numel() for w in smallest.parameters()) < sum(
        w.numel() for w in supernet.parameters()
    )
    before = supernet.target_embedding.clone()
    with torch.no_grad():
        smallest.target_embedding.zero_()
    assert torch.equal(supernet.target_embedding, before)


def test_what_does_not_fit_is_refused(supernet: Transformer) -> None:
    large = SearchSpace.preset("tiny", max_experts=6).largest()
    with pytest.raises(ValueError, match="must fit inside the model's shape"):
        extract(supernet, large)
