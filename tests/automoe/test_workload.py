import pytest

from automoe.architecture import Architecture
from automoe.features import features
from automoe.routing_pattern import RoutingPattern
from automoe.space import SearchSpace
from automoe.workload import TranslationWorkload, WorkloadTextError


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("routing", ["balanced", "skewed:1.5", "worst"])
def test_text_round_trip(tiny: SearchSpace, beam: int, routing: str) -> None:
    workload = TranslationWorkload.of(tiny, beam=beam, routing=RoutingPattern.parse(routing))
    assert TranslationWorkload.parse(str(workload)) == workload


@pytest.mark.parametrize("text", ["", "src=3", "src=3 tgt=x vocab=9 tables=1 beam=1 routing=worst"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(WorkloadTextError, match="A workload must read like"):
        TranslationWorkload.parse(text)


def test_sizes_are_positive() -> None:
    with pytest.raises(ValueError, match="'beam' must be at least 1. Got 0"):
        TranslationWorkload(3, 3, 10, beam=0)


def test_features_of_a_small_architecture_by_hand(sparse: Architecture) -> None:
    # Decoder width 20, layers (8, 40) and (24,), five target tokens, qkv 16, encoder width 24.
    row = features(sparse, TranslationWorkload(4, 5, 30, beam=3))
    ffn = 5 / 2 * 4 * 20 * (8 + 40) + 5 * 4 * 20 * 24
    assert row["feature_decoder_ffn_mflops"] == pytest.approx(ffn / 1e6)
    assert row["feature_projection_mflops"] == pytest.approx(2 * 5 * 20 * 30 / 1e6)
    # A beam of three leaves one of two experts alone with probability 2 * (1/2) ** 3.
    assert row["feature_decoder_experts_touched"] == pytest.approx(2 * (1 - 0.5**3) + 1)
    assert row["feature_encoder_experts_touched"] == pytest.approx(3 * (1 - (2 / 3) ** 4) + 1)
    assert row["feature_cross_span"] == 3
    assert row["feature_decoder_sparse_layers"] == 1
