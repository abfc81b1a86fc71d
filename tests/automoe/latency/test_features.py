from pathlib import Path

import onnx
import pytest

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export.decoder_graph import decoder_graph
from automoe.export.encoder_graph import encoder_graph
from automoe.export.weights import RandomBlob
from automoe.latency.features import features
from automoe.supernet import TransformerConfig

# Widths 4 (encoder), 6 (decoder) and 8 (queries, keys, values); 3 source and 2 target tokens.
SMALL = Architecture(
    Encoder(4, (EncoderLayer(2, (5, 7)), EncoderLayer(1, (3,)))),
    Decoder(6, (DecoderLayer(2, (2, 4, 9), cross_heads=4, cross_span=2),)),
    qkv_dim=8,
)
# Multiply-adds of a layer: four projections, then scores and mixing.
ENCODER_ATTENTION = 2 * (4 * 3 * 4 * 8 + 2 * 3 * 3 * 8)
# Each token is served by one expert, equally often by each: two products of its width.
ENCODER_FFN = 3 / 2 * (2 * 4 * 5) + 3 / 2 * (2 * 4 * 7) + 3 * (2 * 4 * 3)
DECODER_SELF = 4 * 2 * 6 * 8 + 2 * 2 * 2 * 8
# Query and output of 2 tokens; key and value of 2 * 3 encoder positions; scores and mixing.
DECODER_CROSS = 2 * 2 * 6 * 8 + 2 * 6 * 4 * 8 + 2 * 2 * 6 * 8
DECODER_FFN = 2 / 3 * (2 * 6 * 2 + 2 * 6 * 4 + 2 * 6 * 9)
PROJECTION = 2 * 6 * 11
ROUTERS = 3 * 4 * 2 + 2 * 6 * 3
NORMS = 2 * 2 * (3 * 4) + 3 * (2 * 6)


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def expert(dim: int, width: int) -> int:
    return linear(dim, width) + linear(width, dim)


def row(beam: int = 1) -> dict[str, float]:
    found = features(SMALL, TranslationWorkload(3, 2, 11, beam=beam))
    return {name.removeprefix("feature_"): value for name, value in found.items()}


def test_operations_by_hand() -> None:
    expected = {
        "encoder_attention": ENCODER_ATTENTION,
        "encoder_ffn": ENCODER_FFN,
        "decoder_attention": DECODER_SELF + DECODER_CROSS,
        "decoder_ffn": DECODER_FFN,
        "projection": PROJECTION,
        "total": ENCODER_ATTENTION
        + ENCODER_FFN
        + DECODER_SELF
        + DECODER_CROSS
        + DECODER_FFN
        + PROJECTION
        + ROUTERS
        + NORMS,
    }
    found = row()
    for name, macs in expected.items():
        assert found[f"{name}_mflops"] == pytest.approx(2 * macs / 1e6), name


def test_weights_read_by_hand() -> None:
    # Three tokens miss one of two experts with probability (1/2) ** 3 each.
    touched = 2 * (1 - 0.5**3)
    attention = 3 * linear(4, 8) + linear(8, 4) + 2 * (4 + 4)
    encoder = 2 * attention + linear(4, 2) + touched * (expert(4, 5) + expert(4, 7)) / 2
    encoder += expert(4, 3)
    # One decoder step of one hypothesis: one of three experts.
    own = 3 * linear(6, 8) + linear(8, 6)
    cross = linear(6, 8) + 2 * linear(4, 8) + linear(8, 6)
    decoder = own + cross + 3 * (6 + 6) + linear(6, 3)
    decoder += (expert(6, 2) + expert(6, 4) + expert(6, 9)) / 3
    found = row()
    assert found["encoder_weights_touched_mb"] == pytest.approx(4 * encoder / 1e6)
    assert found["decoder_weights_touched_mb"] == pytest.approx(4 * decoder / 1e6)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_beam_touches_more_experts_and_computes_no_more(beam: int) -> None:
    narrow, wide = row(), row(beam)
    # Each of three experts is missed by all hypotheses with probability (2/3) ** beam.
    touched = 3 * (1 - (2 / 3) ** beam)
    assert wide["decoder_experts_touched"] == pytest.approx(touched)
    mean_expert = (expert(6, 2) + expert(6, 4) + expert(6, 9)) / 3
    more_mb = 4 * (touched - 1) * mean_expert / 1e6
    read_mb = wide["decoder_weights_touched_mb"] - narrow["decoder_weights_touched_mb"]
    assert read_mb == pytest.approx(more_mb)
    changed = {name for name, value in wide.items() if value != narrow[name]}
    per_step = ("experts_touched", "weights_touched_mb", "activation_mb", "kernel_launches")
    assert changed <= {f"decoder_{name}" for name in per_step}


def test_activations_by_hand() -> None:
    # Queries, keys, values and their mixture; the output; scores of every head; then the feed-
    # forward parts' hidden and output values and the router's logits, of 3 tokens.
    encoder = 2 * 3 * (4 * 8 + 4) + 3 * 3 * (2 + 1)
    encoder += 3 * (5 + 7) / 2 + 3 * 3 + 2 * 3 * 4 + 3 * 2
    # Two steps see 1 and 2 own positions; 2 * 3 positions of the encoder are attended to.
    decoder = (4 * 8 + 6) + (2 * 8 + 6) + 1.5 * 2 + 6 * 4
    decoder += 2 * 8 * (1.5 + 6)
    decoder += (2 + 4 + 9) / 3 + 6 + 3
    found = row()
    assert found["encoder_activation_mb"] == pytest.approx(4 * encoder / 1e6)
    assert found["decoder_activation_mb"] == pytest.approx(4 * decoder / 1e6)


def test_counts_by_hand() -> None:
    found = row()
    touched = 2 * (1 - 0.5**3) + 1
    assert found["encoder_experts_touched"] == pytest.approx(touched)
    assert found["encoder_kernel_launches"] == pytest.approx(2 * 6 + 1 + 2 * touched)
    expected = {
        "encoder_embed_dim": 4,
        "decoder_embed_dim": 6,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_experts": 3,
        "decoder_experts": 3,
        "encoder_sparse_layers": 1,
        "decoder_sparse_layers": 1,
        "decoder_kernel_launches": 6 + 4 + 1 + 2,  # one hypothesis: one expert
        "encoder_heads": 3,
        "decoder_heads": 2 + 4,
        "cross_span": 2,
    }
    assert {name: found[name] for name in expected} == expected


def test_launches_are_the_matrix_products_of_the_exported_graphs(tmp_path: Path) -> None:
    dense = Architecture(
        Encoder(4, (EncoderLayer(2, (5,)),) * 2),
        Decoder(6, (DecoderLayer(2, (9,), cross_heads=4, cross_span=1),) * 3),
        qkv_dim=8,
    )
    config = TransformerConfig(dense, vocab_size=11, position_dim=6)
    found = features(dense, TranslationWorkload(3, 2, 11))
    n_cross = 2 * 3  # keys and values for the decoder's layers, made with the encoder
    for side, build, others in (
        ("encoder", encoder_graph, n_cross),
        ("decoder", decoder_graph, 1),  # the projection to the vocabulary
    ):
        weights = RandomBlob(tmp_path / "weights").graph_weights()
        path = tmp_path / f"{side}.onnx"
        build(config, weights, max_positions=8, forced_routing=False).save(path)
        nodes = onnx.load(path, load_external_data=False).graph.node
        products = [node for node in nodes if node.op_type in ("Gemm", "MatMul")]
        assert found[f"feature_{side}_kernel_launches"] == len(products) - others
