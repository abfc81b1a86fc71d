"""Dropout that follows the width, as in HAT: p times the subnet's width over the supernet's."""

from random import Random

import pytest
import torch
from support.models import tokens
from torch import Tensor

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig, layers, transformer
from automoe.supernet.dropout import dropout


def dropouts(
    space: SearchSpace, subnet: Architecture, monkeypatch: pytest.MonkeyPatch, *, elastic: bool
) -> set[tuple[int, float]]:
    """Every width at which the subnet drops something, with the probability there."""
    config = TransformerConfig.for_space(
        space, vocab_size=50, dropout=0.4, attention_dropout=0.2, elastic_dropout=elastic
    )
    model = Transformer(config).train()
    seen: set[tuple[int, float]] = set()

    def watch(x: Tensor, p: float, *, is_training: bool) -> Tensor:
        assert is_training
        seen.add((x.shape[-1], round(p, 9)))
        return dropout(x, p, is_training=is_training)

    for module in (layers, transformer):
        monkeypatch.setattr(module, "dropout", watch)
    rng = torch.Generator().manual_seed(0)
    model(tokens(rng, 2, 5), tokens(rng, 2, 4), subnet)
    assert model.encoder[0].attention.dropout == 0.2  # in attention it stays
    return seen


def test_dropout_follows_the_width_of_each_stack(
    tiny: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    widest = tiny.largest().encoder.embed_dim
    assert tiny.largest().decoder.embed_dim == widest
    subnet = next(
        a
        for a in (tiny.sample(Random(n)) for n in range(100))
        if a.encoder.embed_dim < a.decoder.embed_dim == widest
    )
    narrow = subnet.encoder.embed_dim
    with monkeypatch.context() as patch:
        assert dropouts(tiny, subnet, patch, elastic=True) == {
            (narrow, round(0.4 * narrow / widest, 9)),
            (widest, 0.4),
        }
    with monkeypatch.context() as patch:
        assert dropouts(tiny, subnet, patch, elastic=False) == {(narrow, 0.4), (widest, 0.4)}


def test_a_model_without_it_is_described_as_before(tiny: SearchSpace) -> None:
    described = TransformerConfig.for_space(tiny).to_dict()
    assert described.keys().isdisjoint({"elastic_dropout", "expert_dropout"})
    assert TransformerConfig.from_dict(described) == TransformerConfig.for_space(tiny)
    config = TransformerConfig.for_space(tiny, elastic_dropout=True, expert_dropout=0.2)
    assert TransformerConfig.from_dict(config.to_dict()) == config
