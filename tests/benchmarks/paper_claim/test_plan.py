from pathlib import Path

import pytest
from paper_claim.config import ClaimConfig
from paper_claim.plan import planned_hours

TIMED = {
    "supernet_update_s": 60.0,
    "subnet_update_s": 30.0,
    "manual_update_s": 90.0,
    "switch_update_s": 120.0,
    "loss_token_s": 0.5,
}


def test_hours_are_updates_and_evaluations_times_what_each_takes() -> None:
    # tiny.yaml: trainings of 12 updates of 512 tokens; 8 + 2 * 4 evaluations of a search.
    config = ClaimConfig.load(Path(__file__).parents[3] / "benchmarks/paper_claim/tiny.yaml")
    assert planned_hours(config, TIMED, {"tokens_of_valid": 100}) == pytest.approx(
        {
            "supernet": 12 * 60 / 3600,
            "ranking": 6 * 12 * 30 / 3600,  # two of each of three kinds
            # 4 methods, 2 budgets, 2 more seeds, 1 below the dense; 1 remedy with 2 seeds
            "search": 13 * 16 * 50 / 3600,
            "baselines": 2 * 12 * (90 + 120) / 3600,
            "final": (5 * 2 + 2) * 12 * 30 / 3600,  # five models with two seeds, two with one
            "repeats": 6 * 24 * 30 / 3600,
            "supernets": 4 * 4 * 60 / 3600,  # four updates of the four subnets of a sandwich
        }
    )


def test_the_subnets_of_the_ranking_have_batches_of_their_own() -> None:
    config = ClaimConfig.load(Path(__file__).parents[3] / "benchmarks/paper_claim/office.yaml")
    # 21 subnets, 800 updates of 1024 tokens; an update was timed with 512 tokens.
    hours = planned_hours(config, TIMED, {"tokens_of_valid": 100})["ranking"]
    assert hours == pytest.approx(21 * 800 * 2 * 30 / 3600)
