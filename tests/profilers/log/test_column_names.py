import pytest

from profilers.log.column_names import is_duration, is_known_before_measuring, words


def test_words_are_split_at_every_sign() -> None:
    assert words("latency_std.Encoder-2") == ("latency", "std", "encoder", "2")


@pytest.mark.parametrize(
    "name",
    ["latency_std_encoder", "ci_low_ms", "arch_id", "id", "timestamp", "energy_mj", "threads", "_"],
)
def test_results_bookkeeping_and_conditions_are_no_features(name: str) -> None:
    assert not is_known_before_measuring(name, ["latency_mean_encoder"])


def test_a_sibling_of_the_target_is_no_feature() -> None:
    assert not is_known_before_measuring("cost_median", ["cost_mean"])


@pytest.mark.parametrize("name", ["encoder_layers", "width", "forward_passes"])
def test_what_is_known_beforehand_may_be_a_feature(name: str) -> None:
    assert is_known_before_measuring(name, ["encoder_latency_ms"])


@pytest.mark.parametrize("name", ["time_s", "WallTime", "enc_µs", "elapsed", "run times"])
def test_a_time_is_told_by_its_name(name: str) -> None:
    assert is_duration(name)


@pytest.mark.parametrize("name", ["time_steps", "n_s", "s", "items", ""])
def test_other_quantities_are_no_time(name: str) -> None:
    assert not is_duration(name)
