import math
from itertools import pairwise

import pytest

from automoe.training import SettingsError, TrainingSettings
from automoe.training.schedule import rate_factor


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 1}, "unknown key 'lr'. Remove it or correct its spelling."),
        ({"dropout": 1.0}, "'dropout': .* less than 1. Got 1.0"),
        ({"updates": "many"}, "'updates': .* integer.* Got 'many'"),
        ({"seed": 2**63}, "'seed': .* less than 9223372036854775808. Got 9223"),
        ({"schedule": "linear"}, "'schedule': .*'cosine' or 'inverse-sqrt'"),
    ],
)
def test_bad_settings_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TrainingSettings.of(**given)


def test_cosine_by_hand() -> None:
    settings = TrainingSettings.of(updates=110, warmup_updates=10)
    rates = [rate_factor(update, settings) for update in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1
    assert rates[60] == pytest.approx(1e-4 + (1 - 1e-4) / 2)  # half of the fall
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_inverse_square_root_by_hand() -> None:
    settings = TrainingSettings.of(warmup_updates=4, schedule="inverse-sqrt")
    assert rate_factor(3, settings) == 1
    assert rate_factor(15, settings) == pytest.approx(0.5)  # four times as many updates
    rates = [rate_factor(update, settings) for update in range(200)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1]
    assert all(a > b for a, b in pairwise(rates[3:]))


@pytest.mark.parametrize("schedule", ["cosine", "inverse-sqrt"])
def test_the_first_update_has_the_peak_without_a_warm_up(schedule: str) -> None:
    settings = TrainingSettings.of(updates=9, warmup_updates=0, schedule=schedule)
    rates = [rate_factor(update, settings) for update in range(9)]
    assert rates[0] == 1
    assert all(a > b > 0 for a, b in pairwise(rates))


def test_cosine_ends_just_above_its_floor() -> None:
    settings = TrainingSettings.of(updates=1010, warmup_updates=10)
    # cos(pi - x) is about x ** 2 / 2 - 1
    last = 1e-4 + (math.pi / 1000) ** 2 / 4
    assert rate_factor(1009, settings) == pytest.approx(last, rel=1e-3)
    assert rate_factor(1010, settings) == pytest.approx(1e-4)


def test_a_warm_up_longer_than_the_run_never_reaches_the_peak() -> None:
    settings = TrainingSettings.of(updates=5, warmup_updates=10)
    assert [rate_factor(update, settings) for update in range(5)] == [0.1, 0.2, 0.3, 0.4, 0.5]


FIELDS_OF_0_1_0 = {
    *("updates", "max_tokens", "accumulate", "learning_rate", "warmup_updates", "schedule"),
    *("label_smoothing", "dropout", "attention_dropout", "norm", "balance_weight", "z_weight"),
    *("router_jitter", "clip_norm", "precision", "sampling", "max_sentence", "seed"),
}


def test_the_fingerprint_of_a_run_of_0_1_0_has_the_fields_of_0_1_0() -> None:
    def fingerprinted(**given: object) -> set[str]:
        settings = TrainingSettings.of(**given)
        return TrainingSettings.model_fields.keys() - settings.outside_fingerprint()

    assert fingerprinted() == FIELDS_OF_0_1_0
    assert fingerprinted(save_every=1, validate_every=1, track=["x"]) == FIELDS_OF_0_1_0
    assert fingerprinted(average=1, final_weights="best") == FIELDS_OF_0_1_0
    for name, value in {
        "initial_weights": "scratch",
        "final_weights": "last",
        "average": 2,
        "patience": 3,
        "validate_subnets": 0,
        "elastic_dropout": True,
        "expert_dropout": 0.1,
    }.items():
        assert fingerprinted(**{name: value}) == FIELDS_OF_0_1_0 | {name}
