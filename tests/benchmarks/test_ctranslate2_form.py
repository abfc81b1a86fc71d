"""Tests of the form of models for CTranslate2."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from automoe.architecture.architecture import Architecture
from automoe.supernet import Transformer, TransformerConfig
from automoe.text.special_tokens import BOS, EOS, PAD

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from ctranslate2_form import (  # its folder is known
    added_width,
    inexpressible,
    opened_ctranslate2,
    write_ctranslate2,
)

VOCAB_SIZE, LENGTH = 50, 8


def model_of(
    *, heads: tuple[int, int] = (2, 4), span: int = 1, experts: tuple[int, ...] = (48,), **more: Any
) -> Transformer:
    """Return a model whose stacks differ in width."""
    encoder = [{"heads": each, "experts": [32]} for each in heads]
    decoder = {"heads": heads[0], "cross_heads": heads[1], "cross_span": span, "experts": experts}
    architecture = Architecture.from_dict(
        {
            "qkv_dim": 32,
            "encoder": {"embed_dim": 16, "layers": encoder},
            "decoder": {"embed_dim": 24, "layers": [{**decoder, "experts": list(experts)}]},
        }
    )
    config = TransformerConfig.of(architecture, vocab_size=VOCAB_SIZE, **more)
    model = Transformer(config, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
        model.target_embedding[[PAD, BOS, EOS]] = 0
    return model


def greedy(model: Transformer, source: list[int]) -> list[int]:
    """Return the tokens that the whole model in torch predicts, one after another."""
    tokens = [BOS]
    for _ in range(LENGTH):
        logits = model(torch.tensor([source]), torch.tensor([tokens])).logits_BTV[0, -1]
        logits[EOS] = -torch.inf
        tokens.append(int(logits.argmax()))
    return tokens[1:]


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_ctranslate2_gives_the_greedy_outputs_of_torch(
    tmp_path: Path, pre_norm: bool, shared: bool
) -> None:
    pytest.importorskip("ctranslate2")
    model = model_of(pre_norm=pre_norm, shared_embeddings=shared)
    write_ctranslate2(model, tmp_path / "model", None)
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randint(EOS + 2, VOCAB_SIZE, (8, 6), generator=generator)
    sources = [[*row, EOS] for row in drawn.tolist()]
    length = {"min_decoding_length": LENGTH, "max_decoding_length": LENGTH}
    given = opened_ctranslate2(tmp_path / "model")(sources, beam_size=1, **length)
    with torch.inference_mode():
        assert given == [greedy(model, source) for source in sources]
    assert len({tuple(tokens) for tokens in given}) > 1


def test_rounding_to_integers_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    model = model_of()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    write_ctranslate2(model, tmp_path / "model", "int8")
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_uniform_heads_add_no_width() -> None:
    assert added_width(model_of(heads=(4, 4))) == 0
    # Two heads of 16 channels and four of 8 become four of 16.
    assert added_width(model_of(heads=(2, 4))) == 32


def test_what_ctranslate2_cannot_express_is_told() -> None:
    assert inexpressible(model_of()) is None
    assert "several layers" in str(inexpressible(model_of(span=2)))
    assert "several experts" in str(inexpressible(model_of(experts=(16, 16))))
