import numpy as np
import pytest
from scipy import stats

from profilers.audit.gaussian_process import GaussianProcess, Prediction, scaled
from profilers.audit.row_order import OrderEffect, is_sorted
from profilers.audit.row_order import order_effect as effect_of


def order_effect(series: np.ndarray) -> OrderEffect:
    """The effect of the order on residuals of which nothing else is known."""
    values = np.asarray(series, dtype=float)
    return effect_of(Prediction(values, np.full(len(values), max(values.std(), 1e-9))))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.03, n)


@pytest.mark.parametrize(
    "draw",
    ["normal", *(pytest.param(draw, marks=pytest.mark.slow) for draw in ("heavy", "skewed"))],
)
def test_shuffled_values_are_hardly_ever_significant(draw: str) -> None:
    rng = np.random.default_rng(11)
    draws = {
        "normal": lambda: rng.normal(size=60),
        "heavy": lambda: rng.standard_t(2, size=60),
        "skewed": lambda: rng.exponential(size=60),
    }
    accused = sum(order_effect(draws[draw]()).is_significant for _ in range(300))
    assert accused == 0  # one of 30 000 is due


@pytest.mark.parametrize("n", [40, 200, 1000])
def test_a_step_is_found_where_it_is_with_its_size(n: int) -> None:
    series = noise(n)
    series[n // 2 :] += np.log(1.1)
    effect = order_effect(series)
    (span,) = effect.spans
    assert effect.p_value < 3e-5
    # Three rows to each side: a step of 3 standard deviations is seen by single rows.
    assert abs(max(span.start, effect.reference.start) - n // 2) <= 3
    slower = span.offset if span.start else 1 / (1 + span.offset) - 1
    assert slower == pytest.approx(0.1, abs=0.03)


def test_a_bump_within_is_a_span_of_its_own() -> None:
    series = noise(400)
    series[150:180] += np.log(1.2)
    before, span = order_effect(series).spans
    assert (before.start, before.stop) == (0, span.start)
    assert abs(before.offset) < 0.01
    assert abs(span.start - 150) <= 2
    assert abs(span.stop - 180) <= 2
    assert span.offset == pytest.approx(0.2, abs=0.03)


def test_a_linear_drift_is_a_staircase() -> None:
    effect = order_effect(noise(300) + np.linspace(0, 0.15, 300))
    levels = {span.start: span.offset for span in (*effect.spans, effect.reference)}
    heights = [levels[start] for start in sorted(levels)]
    assert len(heights) >= 3
    assert heights == sorted(heights)


def test_a_short_memory_without_levels_is_seen_by_its_correlation() -> None:
    rough = noise(400)
    effect = order_effect(rough[1:] + 0.4 * rough[:-1])
    assert effect.p_value < 3e-5
    assert effect.correlation == pytest.approx(0.4 / 1.16, abs=0.1)  # of a moving average
    assert effect.is_significant


def test_single_outliers_are_no_span() -> None:
    series = noise(200)
    series[[20, 90, 91, 150]] += 5.0
    assert order_effect(series).spans == ()


def test_equal_values_have_no_order() -> None:
    effect = order_effect([1.0] * 40)
    assert (effect.spans, effect.correlation, effect.is_significant) == ((), 0.0, False)


def test_long_series_are_cut_on_a_grid() -> None:
    series = noise(9000)
    series[6000:] += 0.1
    (span,) = order_effect(series).spans
    assert abs(span.start - 6000) <= 6


def test_the_same_series_gets_the_same_verdict() -> None:
    assert order_effect(noise(50)) == order_effect(noise(50))


@pytest.mark.parametrize("seed", range(5))
def test_a_rise_is_seen_although_the_features_could_imitate_a_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(1, 9, (4, 60))
    own = np.log(sizes.sum(axis=0)) + rng.normal(0, 0.01, 60)
    process, every = GaussianProcess([scaled(x) for x in sizes]), np.ones(60, dtype=bool)
    assert not effect_of(process.predict(own, every)).is_significant
    drifting = own + np.linspace(0, np.log(1.1), 60)
    assert effect_of(process.predict(drifting, every)).is_significant


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="'residuals' must hold at least 20 values. Got 19."):
        order_effect([0.0] * 19)


def test_a_sweep_is_sorted_and_random_rows_are_not() -> None:
    assert is_sorted(range(40)) == pytest.approx(1.0, abs=0.1)
    # Deviations from 2.5 by hand: 87.5 within the six values of a level and 8.75 between levels.
    nested = [outer for outer in range(6) for _ in range(6)]
    assert is_sorted(nested) == pytest.approx((87.5 + 8.75) / 105)
    assert is_sorted(noise(200)) is None
    assert is_sorted([7.0] * 40) is None
    assert is_sorted([7.0] * 39 + [7.0 + 1e-15]) is None  # constant but for rounding


def test_a_rise_is_judged_by_shuffles_however_wrong_the_prediction_is() -> None:
    rng = np.random.default_rng(0)
    residuals = rng.normal(0, 0.03, 60) + np.linspace(0, 0.08, 60)
    # Pearson's test in SciPy; it is one of three comparisons.
    tail = 3 * stats.pearsonr(residuals, np.arange(60)).pvalue
    assert 1e-12 < tail < 3e-5
    for sure in (1.0, 10.0):  # the prediction says that its noise is right, or a tenth of it
        precision = np.eye(60) * (sure / 0.03) ** 2
        scores = precision @ (residuals - residuals.mean())
        prediction = Prediction(residuals, np.full(60, 0.03 / sure), precision, scores, 1.0)
        p_value = effect_of(prediction).p_value
        assert np.log10(p_value) == pytest.approx(np.log10(tail), abs=1.5)


def test_a_cluster_of_large_residuals_is_no_stretch_where_rows_are_sorted() -> None:
    # Two kinds of equal features follow each other in random order: five of one kind in a row.
    residuals = noise(400)
    residuals[100:112] = 0.1 * np.array([1, 1, -1, 1, 1, 1, 1, 1, 1, -1, -1, 1])
    prediction = Prediction(residuals, np.full(400, 0.03))
    assert effect_of(prediction).is_significant
    assert not effect_of(prediction, is_shuffled=False).is_significant
    residuals[100:160] = 0.1  # a long stretch is one, and sorted rows have it as well
    prediction = Prediction(residuals, np.full(400, 0.03))
    assert effect_of(prediction, is_shuffled=False).is_significant
