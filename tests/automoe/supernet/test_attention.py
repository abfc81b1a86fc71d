from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from automoe.supernet.attention import ElasticAttention, causal_mask


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("is_padded", [True, False])
def test_attention_while_training_is_that_of_evaluation(
    is_causal: bool, is_padded: bool, torch_rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With dropout that drops nothing, what a training computes is what PyTorch's function does.
    monkeypatch.setattr("automoe.supernet.attention.dropout", lambda x, share, is_training: x)
    attention = ElasticAttention(12, 12, 16, dropout=0.4)
    x = torch.randn(3, 40, 12, generator=torch_rng)
    padding = torch.ones(3, 1, 1, 40, dtype=torch.bool)
    padding[1, ..., 30:] = False

    def run() -> list[Tensor]:
        query, keys_values = attention.queries_keys_values(x)
        mask = padding if is_padded else None
        if is_causal and is_padded:
            mask = padding & causal_mask(40, 40)
        only = is_causal and not is_padded
        out = attention(query, keys_values, heads=4, dim=12, mask_BHTS=mask, is_causal=only)
        return [out, *torch.autograd.grad(out.square().sum(), list(attention.parameters()))]

    training = attention.train() and run()
    evaluation = attention.eval() and run()
    for ours, theirs in zip(training, evaluation, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_attention_weights_are_dropped_while_training(torch_rng: torch.Generator) -> None:
    attention = ElasticAttention(12, 12, 16, dropout=0.4)
    x = torch.randn(1, 9, 12, generator=torch_rng)
    query, keys_values = attention.queries_keys_values(x)
    outs = [
        attention(query, keys_values, heads=4, dim=12, mask_BHTS=None, is_causal=True)
        for _ in range(2)
    ]
    assert not torch.equal(*outs)
    # The first position attends to itself only: its weight is 0, or scaled to 1 / 0.6.
    value = keys_values[1][0, 0].view(4, 4)
    torch.manual_seed(0)
    attention.out.weight.data.copy_(torch.eye(12, 16))
    attention.out.bias.data.zero_()
    out = attention(query, keys_values, heads=4, dim=12, mask_BHTS=None, is_causal=True)
    for head, part in enumerate(out[0, 0].view(3, 4)):
        assert not part.any() or torch.allclose(part, value[head] / 0.6, atol=1e-6)


def test_attention_of_a_processor_is_not_in_half_precision(
    torch_rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its gradient would be several times slower than that of float32.
    attend, seen = F.scaled_dot_product_attention, []

    def spied(query: Tensor, *others: Tensor, **options: Any) -> Tensor:
        seen.append((query.dtype, torch.is_autocast_enabled("cpu")))
        return attend(query, *others, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spied)
    attention = ElasticAttention(12, 12, 16, dropout=0.0)
    x = torch.randn(1, 9, 12, generator=torch_rng)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        query, keys_values = attention.queries_keys_values(x)
        out = attention(query, keys_values, heads=4, dim=12, mask_BHTS=None)
    assert query.dtype == out.dtype == torch.bfloat16
    assert seen == [(torch.float32, False)]
