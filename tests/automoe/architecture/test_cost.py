import pytest

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.cost import cost, experts_touched


def stack(encoder: list[list[int]], decoder: list[list[int]], dim: int = 512) -> Architecture:
    return Architecture(
        Encoder(dim, tuple(EncoderLayer(8, tuple(e)) for e in encoder)),
        Decoder(dim, tuple(DecoderLayer(8, tuple(e), 8, 1) for e in decoder)),
    )


def test_transformer_base_and_big() -> None:
    # The totals of the original Transformers without embeddings.
    base = cost(stack([[2048]] * 6, [[2048]] * 6))
    assert base.params == pytest.approx(44.1e6, rel=0.002)
    assert base.flops == pytest.approx(2.68e9, rel=0.002)
    wide = stack([[4096]] * 6, [[4096]] * 6, dim=1024)
    big = cost(Architecture(wide.encoder, wide.decoder, qkv_dim=1024))
    assert big.params == pytest.approx(176.36e6, rel=0.0005)
    assert big.flops == pytest.approx(10.64e9, rel=0.0005)


@pytest.mark.parametrize(
    ("encoder", "decoder", "total", "active"),
    [
        ([5, 1, 1, 1, 2, 1], [1, 1, 1, 1], 59.9, 45.2),
        ([1, 4, 2, 6, 5, 5], [2, 1, 1, 3], 109.2, 46.2),
        ([1, 1, 2, 1, 2, 1], [1, 1, 1, 2], 54.6, 45.2),
    ],
)
def test_sparse_architectures_of_the_paper(
    encoder: list[int], decoder: list[int], total: float, active: float
) -> None:
    # Totals recounted by hand from Table 5: only the experts that exist. WMT14 En-Fr uses 3072
    # everywhere; the two En-De models have narrower experts in a few layers.
    widths = {5: [3072] * 4 + [2048, 3072], 1: [3072] * 5 + [2048]}
    narrow = encoder[1] == 1
    layer_widths = widths[encoder[0]] if narrow else [3072] * 6
    figures = cost(
        stack(
            [[w] * n for w, n in zip(layer_widths, encoder, strict=True)],
            [[3072] * n for n in decoder],
        )
    )
    assert figures.params / 1e6 == pytest.approx(total, abs=0.06)
    assert figures.active_params / 1e6 == pytest.approx(active, abs=0.06)


def test_router_is_counted_and_absent_experts_are_not(sparse: Architecture) -> None:
    dense = Architecture(
        Encoder(sparse.encoder.embed_dim, (EncoderLayer(2, (16,)), sparse.encoder.layers[1])),
        sparse.decoder,
        sparse.qkv_dim,
    )
    # Two more experts (48 and 32 wide, input 24) and a router of three rows with biases.
    more = 2 * 24 * 48 + 48 + 24 + 2 * 24 * 32 + 32 + 24 + 3 * 24 + 3
    assert cost(sparse).params - cost(dense).params == more
    # One token uses one expert of the mean width (16 + 48 + 32) / 3 = 32.
    assert cost(sparse).active_params - cost(dense).active_params == pytest.approx(
        2 * 24 * (32 - 16) + (32 - 16) + 3 * 24 + 3
    )


def test_a_mean_of_experts_is_told_with_one_decimal() -> None:
    # A token uses one of three experts: 1 + 1 + 2 wide, 4 / 3 on average.
    told = cost(stack([[1, 1, 2]], [[1]])).to_dict()["active_params"]
    exact = cost(stack([[1, 1, 2]], [[1]])).active_params
    assert not exact.is_integer()
    assert told == round(exact, 1)


def test_expected_experts_touched() -> None:
    assert experts_touched(4, 1) == 1
    assert experts_touched(2, 3) == pytest.approx(2 * (1 - 1 / 8))
    assert experts_touched(6, 10_000) == pytest.approx(6)


def test_embeddings_are_apart(sparse: Architecture) -> None:
    assert cost(sparse, vocab_size=100).embedding_params == 100 * 24
    apart = cost(sparse, vocab_size=100, shared_embeddings=False)
    assert apart.embedding_params == 100 * (24 + 20)
    assert cost(sparse, vocab_size=100, tgt_len=7).projection_flops == 2 * 7 * 20 * 100


def test_lengths_below_one_are_refused(sparse: Architecture) -> None:
    with pytest.raises(ValueError, match="'src_len' must be at least 1. Got 0"):
        cost(sparse, src_len=0)
