from random import Random

import pytest
import torch
from support.models import tokens
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.cost import cost, routed_ffn_flops
from automoe.architecture.space import SearchSpace
from automoe.supernet import Transformer, TransformerConfig, extract


def test_gradients_reach_only_the_active_slice(
    supernet: Transformer, subnet: Architecture, torch_rng: torch.Generator
) -> None:
    supernet.train()
    output = supernet(tokens(torch_rng, 40, 30), tokens(torch_rng, 40, 30), subnet)
    (output.logits_BTV.square().mean() + output.load_balancing_loss).backward()
    active = dict(extract(supernet, subnet).named_parameters())
    for name, weight in supernet.named_parameters():
        if name not in active:
            assert weight.grad is None or not weight.grad.any(), name
            continue
        if ".experts." in name and weight.grad is None:
            continue  # no token was sent to this expert
        assert weight.grad is not None, name
        outside = weight.grad.clone()
        front = tuple(slice(0, size) for size in active[name].shape)
        assert weight.grad[front].any() or name.endswith("key.bias"), name
        outside[front] = 0
        assert not outside.any(), name


@pytest.mark.parametrize("pre_norm", [False, True])
def test_decoding_with_a_cache_equals_full_decoding(
    tiny: SearchSpace, torch_rng: torch.Generator, pre_norm: bool
) -> None:
    config = TransformerConfig.for_space(tiny, vocab_size=50, pre_norm=pre_norm)
    model = Transformer(config).eval()
    source, target = tokens(torch_rng, 9, 5, 7), tokens(torch_rng, 8, 8, 8)
    rng = Random(2)
    for architecture in (tiny.sample(rng) for _ in range(4)):
        with torch.no_grad():
            full = model(source, target, architecture).logits_BTV
            cache = model.start(model.encode(source, architecture), architecture)
            for t in range(8):
                step, cache = model.decode(target[:, t : t + 1], cache, architecture)
                assert (step.logits_BTV[:, 0] - full[:, t]).abs().max() < 1e-5


def test_several_tokens_after_a_cache_see_only_earlier_ones(
    supernet: Transformer, subnet: Architecture, torch_rng: torch.Generator
) -> None:
    supernet.eval()
    source, target = tokens(torch_rng, 9, 5), tokens(torch_rng, 8, 8)
    with torch.no_grad():
        full = supernet(source, target, subnet).logits_BTV
        cache = supernet.start(supernet.encode(source, subnet), subnet)
        parts = []
        for some in (target[:, :3], target[:, 3:7], target[:, 7:]):
            output, cache = supernet.decode(some, cache, subnet)
            parts.append(output.logits_BTV)
    assert (torch.cat(parts, dim=1) - full).abs().max() < 1e-5


def test_positions_go_on_after_those_that_are_kept(
    supernet: Transformer, torch_rng: torch.Generator
) -> None:
    # Sentences longer than the kept sinusoids, before and after short ones.
    supernet.eval()
    short, long = tokens(torch_rng, 6), tokens(torch_rng, 300)
    with torch.no_grad():
        before = supernet(short, short).logits_BTV
        whole = supernet(short, long).logits_BTV
        after = supernet(short, short).logits_BTV
        fresh = Transformer(supernet.config, seed=9).eval()
        fresh.load_state_dict(supernet.state_dict())
        assert torch.equal(fresh(short, long).logits_BTV, whole)
    assert torch.equal(before, after)


def test_padding_changes_nothing(
    supernet: Transformer, subnet: Architecture, torch_rng: torch.Generator
) -> None:
    supernet.eval()
    source, target = tokens(torch_rng, 6), tokens(torch_rng, 5)
    wider = nn.functional.pad(source, (0, 4))
    with torch.no_grad():
        alone = supernet(source, target, subnet).logits_BTV
        padded = supernet(wider, target, subnet).logits_BTV
    assert (alone - padded).abs().max() < 1e-5


def test_a_later_target_token_changes_nothing_before(
    supernet: Transformer, subnet: Architecture, torch_rng: torch.Generator
) -> None:
    supernet.eval()
    source, target = tokens(torch_rng, 6), tokens(torch_rng, 8)
    changed = target.clone()
    changed[0, 5] = 4 + (changed[0, 5] - 3) % 40
    with torch.no_grad():
        before = supernet(source, target, subnet).logits_BTV
        after = supernet(source, changed, subnet).logits_BTV
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.equal(before[:, 5], after[:, 5])


def test_span_chooses_the_last_encoder_layers(
    supernet: Transformer, subnet: Architecture, torch_rng: torch.Generator
) -> None:
    memory = supernet.encode(tokens(torch_rng, 6, 4), subnet)
    cache = supernet.start(memory, subnet)
    for past, layer in zip(cache.layers, subnet.decoder.layers, strict=True):
        assert past.cross[0].shape[1] == 6 * layer.cross_span
    key = supernet.decoder[0].cross.key
    last, first = (key(memory.layers[i]) for i in (0, -1))
    assert torch.equal(cache.layers[0].cross[0][:, :6], last)
    if subnet.decoder.layers[0].cross_span == 3:
        assert torch.equal(cache.layers[0].cross[0][:, 12:], first)


def test_dense_layer_is_the_textbook_encoder_layer(torch_rng: torch.Generator) -> None:
    # PyTorch's own layer, with our weights, is the independent reference.
    shape = Architecture(
        Encoder(16, (EncoderLayer(4, (32,)),)),
        Decoder(16, (DecoderLayer(4, (32,), 4, 1),)),
        qkv_dim=16,
    )
    model = Transformer(TransformerConfig(shape, 50, 16, dropout=0.0)).eval()
    ours = model.encoder[0]
    theirs = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True).eval()
    with torch.no_grad():
        parts = (ours.attention.query, ours.attention.key, ours.attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.self_attn.out_proj.load_state_dict(ours.attention.out.state_dict())
        theirs.linear1.load_state_dict(ours.feed_forward.experts[0].expand.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.experts[0].contract.state_dict())
        x = torch.randn(2, 5, 16, generator=torch_rng)
        present = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        out, _ = ours(x, shape.encoder.layers[0], present, present[:, None, None, :])
        expected = theirs(x, src_key_padding_mask=~present)
    assert (out - expected)[present].abs().max() < 1e-5


def test_embeddings_are_tied(tiny: SearchSpace, supernet: Transformer) -> None:
    assert supernet.source_embedding is None
    apart = Transformer(TransformerConfig.for_space(tiny, vocab_size=50, shared_embeddings=False))
    assert apart.source_embedding is not None
    n_weights = [sum(w.numel() for w in m.parameters()) for m in (supernet, apart)]
    assert n_weights[1] - n_weights[0] == 50 * 160


def counted_flops(model: Transformer, source: torch.Tensor, target: torch.Tensor) -> int:
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(source, target)
    return counter.get_total_flops()


def test_closed_form_equals_counted_flops(tiny: SearchSpace, torch_rng: torch.Generator) -> None:
    # Experts of one width: every routing costs the same.
    space = tiny.with_experts(3, fractional=False)
    supernet = Transformer(TransformerConfig.for_space(space, vocab_size=50)).eval()
    rng = Random(3)
    source, target = tokens(torch_rng, 11), tokens(torch_rng, 9)
    for architecture in (space.sample(rng) for _ in range(6)):
        subnet = extract(supernet, architecture)
        figures = cost(architecture, src_len=11, tgt_len=9, vocab_size=50)
        norms = figures.encoder.norm_flops + figures.decoder.norm_flops
        counted = counted_flops(subnet, source, target)
        assert counted == pytest.approx(figures.flops - norms + figures.projection_flops)
        weights = sum(w.numel() for w in subnet.parameters())
        assert weights == figures.params + figures.embedding_params


def test_closed_form_equals_counted_flops_of_mixed_experts(
    supernet: Transformer, tiny: SearchSpace, torch_rng: torch.Generator
) -> None:
    # Widths differ, so the routing that happened replaces the balanced one of the formula.
    rng = Random(4)
    source, target = tokens(torch_rng, 11), tokens(torch_rng, 9)
    for architecture in (tiny.sample(rng) for _ in range(6)):
        subnet = extract(supernet.eval(), architecture)
        routing = iter(subnet(source, target).routing)
        figures = cost(architecture, src_len=11, tgt_len=9, vocab_size=50)
        expected = figures.projection_flops
        for part, stack, n in (
            (figures.encoder, architecture.encoder, 11),
            (figures.decoder, architecture.decoder, 9),
        ):
            expected += part.attention_flops + part.router_flops
            for layer in stack.layers:
                served = next(routing).tokens_per_expert.tolist() if layer.is_sparse else [n]
                expected += routed_ffn_flops(layer.experts, served, stack.embed_dim)
        assert counted_flops(subnet, source, target) == expected
