from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from profilers import Interval, median_interval, relative_half_width
from profilers.measuring.intervals import (
    center_of,
    lag1_correlation,
    median_absolute_deviation,
    sampling_error_of,
    tail_ms,
)

TRUTH_MS = 12.5


def test_the_interval_of_three_blocks_is_students() -> None:
    # Logs 0, 1, 2: mean 1, deviation 1; t with 2 degrees of freedom is 4.302653 (any table).
    half = 4.302653 / np.sqrt(3)
    interval = median_interval([1.0, np.e, np.e**2])
    assert interval.center == pytest.approx(np.e)
    assert interval.low == pytest.approx(np.exp(1 - half), rel=1e-6)
    assert interval.high == pytest.approx(np.exp(1 + half), rel=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_the_interval_agrees_with_scipy(confidence: float) -> None:
    medians_ms = [9.8, 10.4, 10.1, 11.0, 10.2]
    logs = np.log(medians_ms)
    low, high = stats.t.interval(confidence, 4, loc=logs.mean(), scale=stats.sem(logs))
    interval = median_interval(medians_ms, confidence=confidence)
    assert (interval.low, interval.high) == pytest.approx((np.exp(low), np.exp(high)))


def test_the_interval_scales_with_the_unit() -> None:
    one, thousand = median_interval([1.0, 1.1, 1.3]), median_interval([1000.0, 1100.0, 1300.0])
    assert thousand.low == pytest.approx(1000 * one.low)
    assert relative_half_width(thousand) == pytest.approx(relative_half_width(one))


def test_equal_blocks_are_known_to_half_a_step_of_the_clock() -> None:
    interval = median_interval([5.0, 5.0, 5.0])
    assert interval.center == 5.0
    assert interval.high - 5.0 == pytest.approx(0.5e-6, rel=1e-3)  # of 1 ns
    assert 5.0 - interval.low == pytest.approx(0.5e-6, rel=1e-3)
    assert median_interval([1e-12, 1e-12]).high == pytest.approx(0.5e-6, rel=1e-3)


def test_blocks_that_agree_by_chance_are_known_as_well_as_their_samples_tell() -> None:
    # The normal quantile at 97.5 % is 1.959964.
    interval = median_interval([5.0, 5.0], sampling_error=0.01)
    assert interval.high == pytest.approx(5.0 * np.exp(1.959964 * 0.01 / np.sqrt(2)))
    apart = [1.0, np.e, np.e**2]
    assert median_interval(apart, sampling_error=0.01) == median_interval(apart)


def test_the_sampling_error_is_how_much_medians_of_samples_scatter() -> None:
    samples_ms = 12.5 * np.exp(np.random.default_rng(0).normal(0, 0.02, size=(2000, 41)))
    scatter = np.log(np.median(samples_ms, axis=1)).std()
    assert sampling_error_of(samples_ms.tolist()) == pytest.approx(scatter, rel=0.1)
    assert sampling_error_of([[3.0, 3.0], [3.0]]) == 0.0


def test_equal_blocks_of_a_fast_session_still_hold_the_truth() -> None:
    # Of many pairs of blocks of five samples, those whose medians agree to a thousandth.
    rng = np.random.default_rng(0)
    pairs = TRUTH_MS * np.exp(rng.normal(0, 0.02, size=(20_000, 2, 5)))
    medians_ms = np.median(pairs, axis=2)
    agreeing = np.abs(medians_ms[:, 0] / medians_ms[:, 1] - 1) < 1e-3
    held = {False: 0, True: 0}
    for samples_ms, pair_ms in zip(pairs[agreeing], medians_ms[agreeing], strict=True):
        for is_given in held:
            error = sampling_error_of(samples_ms.tolist()) if is_given else 0.0
            interval = median_interval(pair_ms.tolist(), looks=2, sampling_error=error)
            held[is_given] += interval.low <= TRUTH_MS <= interval.high
    assert held[True] >= 0.85 * agreeing.sum()
    assert held[False] <= 0.5 * agreeing.sum()


def test_the_half_width_is_how_far_the_upper_bound_lies_above_the_center() -> None:
    assert relative_half_width(Interval(low=8.0, high=12.0, center=10.0)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("medians_ms", "confidence", "message"),
    [
        ([1.0], 0.95, "'block_medians_ms' must hold at least 2 blocks. Got 1. Measure more rounds"),
        ([1.0, 0.0], 0.95, "'block_medians_ms' must be positive. Got 0.0."),
        ([1.0, 2.0], 1.0, r"'confidence' must be in \(0, 1\). Got 1.0."),
        ([1.0, 2.0], 0.0, r"'confidence' must be in \(0, 1\). Got 0.0."),
    ],
)
def test_an_impossible_interval_is_refused(
    medians_ms: list[float], confidence: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        median_interval(medians_ms, confidence=confidence)


def test_the_absolute_deviation_is_unscaled_and_ignores_an_outlier() -> None:
    # Median 3; distances 2, 1, 0, 1, 97; their median 1.
    assert median_absolute_deviation([1.0, 2.0, 3.0, 4.0, 100.0]) == 1.0


def test_lag1_correlation_is_the_textbook_formula() -> None:
    # Deviations -1.5, -0.5, 0.5, 1.5: (0.75 - 0.25 + 0.75) / 5.
    assert lag1_correlation([1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.25)
    assert lag1_correlation([1.0, -1.0, 1.0, -1.0]) == pytest.approx(-0.75)


def test_lag1_correlation_of_a_constant_is_zero() -> None:
    assert lag1_correlation([2.0, 2.0, 2.0]) == 0.0


def test_lag1_correlation_needs_three_values() -> None:
    with pytest.raises(ValueError, match="'series' must hold at least 3 values. Got 2."):
        lag1_correlation([1.0, 2.0])


def simulated_blocks(rng: np.random.Generator, processes: int) -> NDArray[np.float64]:
    """Samples of a session, one row per process: each process is off by a factor of its own."""
    offset = rng.normal(0.0, 0.01, size=(processes, 1))
    noise = rng.normal(0.0, 0.02, size=(processes, 10))
    return np.asarray(TRUTH_MS * np.exp(offset + noise))


def of_blocks(rng: np.random.Generator) -> Interval:
    return median_interval(np.median(simulated_blocks(rng, 5), axis=1).tolist())


def of_raw_samples(rng: np.random.Generator) -> Interval:
    return median_interval(simulated_blocks(rng, 5).ravel().tolist())


def of_a_session_that_stops_when_narrow(rng: np.random.Generator) -> Interval:
    medians_ms = np.median(simulated_blocks(rng, 6), axis=1).tolist()
    intervals = [median_interval(medians_ms[:count], looks=4) for count in range(3, 7)]
    return next((item for item in intervals if relative_half_width(item) <= 0.02), intervals[-1])


@pytest.mark.parametrize(
    ("measure", "at_least", "at_most"),
    [
        pytest.param(of_blocks, 0.93, 0.97, id="over blocks it holds"),
        pytest.param(of_a_session_that_stops_when_narrow, 0.93, 0.97, id="stopping costs little"),
        pytest.param(of_raw_samples, 0.0, 0.8, id="over raw samples it would not"),
    ],
)
def test_how_often_the_interval_covers_the_truth(
    measure: Callable[[np.random.Generator], Interval], at_least: float, at_most: float
) -> None:
    # 600 sessions tell a coverage of 95 % to about 0.9 points (one standard deviation).
    rng = np.random.default_rng(0)
    intervals = [measure(rng) for _ in range(600)]
    coverage = np.mean([item.low <= TRUTH_MS <= item.high for item in intervals])
    assert at_least <= coverage <= at_most


def test_more_looks_widen_the_interval_of_the_same_center() -> None:
    # Of eight looks each may miss 5 % / 2: t with 2 degrees of freedom at 98.75 % is 6.2053.
    once, often = (median_interval([1.0, np.e, np.e**2], looks=looks) for looks in (1, 8))
    assert often.center == once.center == pytest.approx(np.e)
    assert often.high == pytest.approx(np.exp(1 + 6.2053 / np.sqrt(3)), rel=1e-4)
    with pytest.raises(ValueError, match="'looks' must be at least 1. Got 0."):
        median_interval([1.0, 1.1], looks=0)


def test_the_center_is_the_geometric_mean_and_lies_in_the_interval() -> None:
    blocks = [1.0] * 9 + [2.0]
    interval = median_interval(blocks, confidence=0.01)
    assert interval.low <= interval.center <= interval.high
    assert interval.center == pytest.approx(2**0.1)
    assert center_of([0.1] * 3) == 0.1
    assert center_of([0.1, 0.0]) == 0.0


@pytest.mark.parametrize(("percent", "enough"), [(90, 64), (95, 130), (99, 662)])
def test_a_tail_is_stated_only_with_enough_samples(percent: int, enough: int) -> None:
    samples = [float(n) for n in range(enough)]
    assert tail_ms(samples[1:], percent) is None
    assert tail_ms(samples, percent) == pytest.approx((enough - 1) * percent / 100)
