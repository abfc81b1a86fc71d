import numpy as np
import pytest

from profilers.audit.gaussian_process import GaussianProcess, Prediction, scaled


def predict(latency: np.ndarray, *columns: np.ndarray) -> Prediction:
    prepared = [scaled(x) if x.ndim == 1 else x for x in columns]
    every = np.ones(len(latency), dtype=bool)
    return GaussianProcess(prepared).predict(np.log(latency), every)


def test_a_power_law_leaves_only_its_noise() -> None:
    rng = np.random.default_rng(0)
    width, depth = rng.uniform(1e2, 1e4, 300), rng.integers(1, 7, 300).astype(float)
    noise = rng.normal(0, 0.02, 300)
    result = predict(3 * width**1.5 * depth * np.exp(noise), width, depth)
    assert result.residuals.std() < 0.022
    assert np.corrcoef(result.residuals, noise)[0, 1] > 0.95
    assert np.mean((result.residuals / result.deviations) ** 2) == pytest.approx(1, abs=0.2)


def test_stairs_are_followed() -> None:
    size = np.random.default_rng(0).uniform(1, 1000, 600)
    result = predict(1.0 + np.ceil(size / 100), size)
    # A quadratic in log(size) stays 5 % off the stairs.
    assert np.median(np.abs(result.residuals)) < 0.01


def test_no_row_predicts_itself() -> None:
    rng = np.random.default_rng(0)
    latency, unrelated = np.exp(rng.normal(0, 1, 100)), rng.normal(0, 1, 100)
    # What cannot be predicted stays in the residuals whole: a fit to it would make them smaller.
    assert predict(latency, unrelated).residuals.std() > 0.95 * np.log(latency).std()


def test_leaving_a_row_out_is_what_a_prediction_without_it_gives() -> None:
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 9, 150)
    target = np.log(size) + rng.normal(0, 0.05, 150)
    process = GaussianProcess([scaled(size)])
    whole = process.predict(target, np.ones(150, dtype=bool))
    for row in (3, 70):
        kept = np.arange(150) != row
        without = process.predict(target, kept)
        # The parameters are chosen anew, so the two agree except for a little.
        assert whole.residuals[row] == pytest.approx(without.residuals[row], abs=0.01)
        assert whole.deviations[row] == pytest.approx(without.deviations[row], rel=0.1)


def test_a_row_that_resembles_no_other_is_predicted_without_certainty() -> None:
    rng = np.random.default_rng(0)
    words = np.zeros((50, 2))
    words[:, 0] = 1
    words[7] = [0, 1]
    latency = rng.uniform(1, 3, 50) * np.where(words[:, 1] > 0, 100, 1)
    result = predict(latency, words)
    assert result.deviations[7] > 2 * np.median(result.deviations)


def test_long_tables_are_predicted_from_a_sample() -> None:
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 1e4, 6000)
    latency = (10 + size) * np.exp(rng.normal(0, 0.03, 6000))
    latency[4321] /= 1000
    result = predict(latency, size)
    assert result.precision is None
    assert np.median(np.abs(result.residuals)) == pytest.approx(0.6745 * 0.03, rel=0.1)
    assert result.residuals[4321] == pytest.approx(np.log(1e-3), abs=0.2)
    assert result.deviations[4321] < 0.1


def test_scales_are_logarithmic_and_constants_zero() -> None:
    assert scaled(np.array([1.0, 10.0, 100.0])) == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert scaled(np.array([-3.0, 0.0, 3.0])) == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert scaled(np.array([7.0] * 9 + [7.0 + 1e-15])).tolist() == [0.0] * 10
    assert scaled(np.zeros(3)).tolist() == [0.0] * 3
