import numpy as np
import pytest

from profilers.audit.residuals import residuals, thousands


def test_without_features_it_is_the_ratio_to_the_median() -> None:
    found = residuals(np.array([1.0, 2.0, 8.0]), [])
    assert found == pytest.approx(np.log([0.5, 1.0, 4.0]))


def test_a_power_law_leaves_only_its_noise() -> None:
    rng = np.random.default_rng(0)
    width, depth = rng.uniform(1e2, 1e4, 300), rng.integers(1, 7, 300).astype(float)
    noise = rng.normal(0, 0.02, 300)
    left = residuals(3 * width**1.5 * depth * np.exp(noise), [width, depth])
    assert left.std() < 0.025
    assert np.corrcoef(left, noise)[0, 1] > 0.9


def test_thresholds_are_left_to_trees() -> None:
    size = np.random.default_rng(0).uniform(1, 1000, 600)
    left = residuals(1.0 + np.ceil(size / 100), [size])
    # A quadratic in log(size) stays 5 % off the stairs; a tree is exact but at their edges.
    assert np.median(np.abs(left)) < 0.01


def test_no_row_predicts_itself() -> None:
    rng = np.random.default_rng(0)
    latency, unrelated = np.exp(rng.normal(0, 1, 100)), rng.normal(0, 1, 100)
    # What cannot be predicted stays in the residuals whole: a fit to it would make them smaller.
    assert residuals(latency, [unrelated]).std() > 0.95 * np.log(latency).std()


def test_rows_a_factor_of_a_thousand_off_are_counted_by_factor() -> None:
    latency = np.array([1.0, 1.2, 0.9e-3, 1.1, 1.3e3, 0.8e-6, 0.9, 1e11, 30.0])
    factors, left = thousands(latency, [])
    assert factors.tolist() == [0, 0, -1, 0, 1, -2, 0, np.inf, 0]
    assert np.abs(left).max() < np.log(40)


def test_of_two_equal_groups_the_faster_is_off() -> None:
    assert thousands(np.array([1.0, 1e-3, 2.0, 2e-3]), [])[0].tolist() == [0, -1, 0, -1]


@pytest.mark.parametrize(
    "ratios",
    [
        pytest.param([1.0, 1.1, 50.0], id="an outlier of another size"),
        pytest.param(10.0 ** np.arange(6), id="decades without a gap"),
    ],
)
def test_other_spreads_are_no_units(ratios: list[float]) -> None:
    assert not thousands(np.array(ratios), [])[0].any()


@pytest.mark.parametrize("odd", [1e9, 1e20, 1e-15])
def test_one_latency_far_off_is_not_the_unit_of_the_others(odd: float) -> None:
    rng = np.random.default_rng(0)
    width, depth = rng.uniform(1, 9, 40), rng.integers(1, 9, 40).astype(float)
    latency = (width + 2 * depth) * rng.lognormal(0, 0.03, 40)
    latency[5] = odd
    factors, _ = thousands(latency, [width, depth])
    assert np.flatnonzero(factors).tolist() == [5]


def test_a_level_of_a_single_row_disturbs_nothing() -> None:
    rng = np.random.default_rng(0)
    batch, dim = rng.choice([1.0, 4.0, 8.0], 60), rng.choice([128.0, 256.0, 512.0], 60)
    usual = np.ones(60)
    usual[5] = 0.0
    latency = (1 + batch * dim / 100) * np.exp(rng.normal(0, 0.02, 60))
    factors, left = thousands(latency, [usual, 1 - usual, batch, dim])
    assert not factors.any()
    assert np.abs(left).max() < 0.5
