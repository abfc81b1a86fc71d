from pathlib import Path

import pytest
from paper_claim.config import KINDS, ClaimConfig, Experiment
from paper_claim.figures import best_by_evaluation
from paper_claim.findings import Findings, experts_of, learned_extra, rank_correlation

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.translation_workload import TranslationWorkload
from devices.files import write_json

ROOT = Path(__file__).parents[3]


@pytest.fixture
def sparse() -> Architecture:
    return Architecture(
        Encoder(8, (EncoderLayer(1, (16,)), EncoderLayer(1, (10, 30)))),
        Decoder(4, (DecoderLayer(1, (6, 2, 4), cross_heads=1, cross_span=1),)),
        qkv_dim=8,
    )


def test_equal_shares_cost_what_the_formula_says(sparse: Architecture) -> None:
    routing = {
        "encoder": [{"layer": 1, "tokens": [50, 50]}],
        "decoder": [{"layer": 0, "tokens": [7, 7, 7]}],
    }
    workload = TranslationWorkload(5, 6, 100)
    assert learned_extra(sparse, routing, workload) == pytest.approx(0)


def test_tokens_of_wide_experts_cost_more(sparse: Architecture) -> None:
    routing = {
        "encoder": [{"layer": 1, "tokens": [0, 100]}],
        "decoder": [{"layer": 0, "tokens": [0, 10, 0]}],
    }
    workload = TranslationWorkload(5, 6, 100)
    # Widths 30 instead of 20 for 5 tokens, and 2 instead of 4 for 6; two products of two FLOPs.
    expected = 4 * 8 * 5 * (30 - 20) + 4 * 4 * 6 * (2 - 4)
    assert learned_extra(sparse, routing, workload) == pytest.approx(expected)


def test_experts_are_written_by_layer(sparse: Architecture) -> None:
    assert experts_of(sparse) == "1-2 / 3"


def test_the_best_loss_is_counted_by_evaluations() -> None:
    candidates = [(0, 5.0, 1.0), (0, 4.0, 1.0), (1, 4.5, 1.0), (2, 3.0, 1.0), (2, 6.0, 1.0)]
    assert best_by_evaluation(candidates) == ([2, 3, 5], [4.0, 4.0, 3.0])


@pytest.mark.parametrize("name", ["office.yaml", "tiny.yaml"])
def test_one_supernet_holds_every_kind(name: str) -> None:
    config = ClaimConfig.load(ROOT / "benchmarks/paper_claim" / name)
    dense, standard = config.space_of("dense"), config.space_of("standard")
    assert dense.max_experts == 1
    assert not standard.fractional
    config.space.check(dense.largest())
    config.space.check(standard.largest())
    assert config.space.largest() == standard.largest()


def test_another_supernet_ranks_the_same_subnets(tmp_path: Path) -> None:
    config = ClaimConfig.load(ROOT / "benchmarks/paper_claim/tiny.yaml")
    experiment = Experiment(config, None, tmp_path / "work", tmp_path / "raw")
    alone = {f"{kind}-{i}": float(3 * j + i) for j, kind in enumerate(KINDS) for i in range(2)}
    for name, loss in alone.items():
        ranked = {"supernet_loss": -loss, "alone_loss": loss}
        write_json(experiment.results / f"ranking/{name}.json", ranked)
        write_json(experiment.results / f"repeats/{name}-longer.json", {"alone_loss": loss - 1})
    # The squared differences of the ranks sum to 2, so the correlation is 1 - 6 * 2 / (6 * 35).
    swapped = alone | {"dense-0": 1.0, "dense-1": 0.0}
    write_json(experiment.results / "supernets/sandwich.json", {"losses": swapped})
    findings = Findings(experiment)
    assert findings.judges == ["longer", None]  # 24 updates and 12
    judge = findings.alone_losses("longer")
    ranked_by = (findings.supernet_losses(), findings.supernet_losses("sandwich"))
    values = [rank_correlation(losses, judge) for losses in ranked_by]
    assert [each.value for each in values if each] == pytest.approx([-1, 1 - 12 / 210])
    assert rank_correlation(findings.supernet_losses("unknown"), judge) is None
    assert rank_correlation(judge, judge, "dense") is None  # of two subnets


def test_only_complete_trainings_alone_judge(tmp_path: Path) -> None:
    config = ClaimConfig.load(ROOT / "benchmarks/paper_claim/tiny.yaml")
    experiment = Experiment(config, None, tmp_path / "work", tmp_path / "raw")
    write_json(experiment.results / "ranking/dense-0.json", {"alone_loss": 2.0})
    assert Findings(experiment).judges == []
