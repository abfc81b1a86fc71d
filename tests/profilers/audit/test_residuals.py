import numpy as np
import pytest

from profilers.audit.residuals import unexplained


def made_of_two(seed: int = 0, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two features, and the latency that they determine but for 3 %."""
    rng = np.random.default_rng(seed)
    width, depth = rng.uniform(1, 9, n), rng.integers(1, 9, n).astype(float)
    return width, depth, (width + 2 * depth) * rng.lognormal(0, 0.03, n)


def test_without_features_it_is_the_ratio_to_the_median() -> None:
    latency = np.array([1.0, 2.0, 8.0])
    assert unexplained(latency, []).prediction.residuals == pytest.approx(np.log([0.5, 1.0, 4.0]))


def test_rows_a_factor_of_a_thousand_off_are_counted_by_factor() -> None:
    latency = np.array([1.0, 1.2, 0.9e-3, 1.1, 1.3e3, 0.8e-6, 0.9, 1e11, 1.05])
    result = unexplained(latency, [])
    assert result.factors.tolist() == [0, 0, -1, 0, 1, -2, 0, np.inf, 0]


def test_of_two_equal_groups_the_faster_is_off() -> None:
    latency = np.array([1.0, 1e-3, 1.2, 1.2e-3, 1.1, 1.1e-3])
    assert unexplained(latency, []).factors.tolist() == [0, -1, 0, -1, 0, -1]


@pytest.mark.parametrize(
    "latencies",
    [
        pytest.param([1.0, 1.1, 50.0], id="an outlier of another size"),
        pytest.param(10.0 ** np.arange(6), id="decades without a gap"),
        pytest.param([1.0, 1e-3], id="two rows"),
        pytest.param([1.0, 30.0, 1e4, 4e5], id="no two alike"),
    ],
)
def test_other_spreads_are_no_units(latencies: list[float]) -> None:
    assert not unexplained(np.array(latencies), []).factors.any()


@pytest.mark.parametrize("odd", [1e9, 1e20, 1e-15])
def test_one_latency_far_off_is_not_the_unit_of_the_others(odd: float) -> None:
    width, depth, latency = made_of_two(n=40)
    latency[5] = odd
    assert np.flatnonzero(unexplained(latency, [width, depth]).factors).tolist() == [5]


@pytest.mark.parametrize("rows", [[5], [5, 9]])
@pytest.mark.parametrize("factor", [1e-3, 0.3, 1.0, 30.0, 1e3, 1e5])
def test_a_value_that_hardly_any_row_has_is_not_judged(rows: list[int], factor: float) -> None:
    width, depth, latency = made_of_two()
    odd = np.zeros(60)
    odd[rows] = 1.0
    latency[rows] *= factor
    for column in (odd, np.column_stack([odd, 1 - odd])):  # a number, and a word
        result = unexplained(latency, [width, depth, column])
        assert not result.factors.any()
        assert result.swapped == ()


def test_a_row_in_seconds_is_found_where_latencies_span_five_decades() -> None:
    rng = np.random.default_rng(0)
    size = 10 ** rng.uniform(0, 2.5, 60)
    latency = 0.01 * size**2 * rng.lognormal(0, 0.03, 60)
    latency[7] /= 1000
    assert np.flatnonzero(unexplained(latency, [size]).factors).tolist() == [7]


def test_exchanged_latencies_are_found_and_mended() -> None:
    width, depth, latency = made_of_two()
    low, high = int(latency.argmin()), int(latency.argmax())
    sound = unexplained(latency, [width, depth])
    assert sound.swapped == ()
    latency[[low, high]] = latency[[high, low]]
    result = unexplained(latency, [width, depth])
    assert [set(pair) for pair in result.swapped] == [{low, high}]
    assert result.prediction.residuals == pytest.approx(sound.prediction.residuals, abs=1e-6)


def test_two_independent_outliers_are_not_exchanged() -> None:
    width, depth, latency = made_of_two()
    latency[[3, 11]] *= [1.5, 0.4]
    assert unexplained(latency, [width, depth]).swapped == ()


def test_an_outlier_is_told_whole_and_does_not_disturb_the_others() -> None:
    width, depth, latency = made_of_two()
    sound = unexplained(latency, [width, depth])
    latency[7] *= 1.6
    result = unexplained(latency, [width, depth])
    assert result.residuals[7] == pytest.approx(np.log(1.6) + sound.residuals[7], abs=0.03)
    assert abs(result.prediction.residuals[7]) < 5 * 0.03  # three deviations of the noise
    others = np.arange(60) != 7
    assert result.residuals[others] == pytest.approx(sound.residuals[others], abs=0.03)


def test_a_drift_is_not_cut_away_as_outliers_are() -> None:
    width, depth, _ = made_of_two(n=80)
    smooth = (width + 2 * depth) * np.random.default_rng(1).lognormal(0, 0.003, 80)
    place = np.linspace(-0.5, 0.5, 80)
    left = unexplained(smooth * np.exp(0.1 * place), [width, depth]).prediction.residuals
    # The slope of what is left, by least squares, is the drift of 10 %.
    assert left @ place / (place @ place) == pytest.approx(0.1, rel=0.1)


def test_a_level_of_a_single_row_disturbs_nothing() -> None:
    rng = np.random.default_rng(0)
    batch, dim = rng.choice([1.0, 4.0, 8.0], 60), rng.choice([128.0, 256.0, 512.0], 60)
    usual = np.ones(60)
    usual[5] = 0.0
    latency = (1 + batch * dim / 100) * np.exp(rng.normal(0, 0.02, 60))
    result = unexplained(latency, [np.column_stack([usual, 1 - usual]), batch, dim])
    assert not result.factors.any()
    assert np.abs(result.prediction.residuals).max() < 0.5


@pytest.mark.parametrize("n", [2, 3, 9, 10, 12])
@pytest.mark.parametrize("spread", [0.0, 1e-12, 1.0])
def test_degenerate_tables_have_a_result(n: int, spread: float) -> None:
    rng = np.random.default_rng(0)
    constant, same = np.ones(n), 1 + 1e-15 * rng.normal(size=n)
    latency = np.exp(spread * rng.normal(size=n))
    for columns in ([], [constant], [same, constant], [np.ones((n, 1))], [latency] * 3):
        result = unexplained(latency, columns)
        assert np.isfinite(result.prediction.residuals).all()
        assert result.swapped == ()


def test_rows_beyond_a_step_are_no_mistake() -> None:
    rng = np.random.default_rng(0)
    size, width = rng.uniform(1, 9, (2, 60))
    latency = width * rng.lognormal(0, 0.03, 60) * np.where(size > np.sort(size)[-6], 1000, 1)
    assert not unexplained(latency, [size, width]).factors.any()


@pytest.mark.parametrize("seed", [13, 19, 28])
def test_the_rows_beside_a_step_are_not_exchanged(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    size, width = 10 ** rng.uniform(0, 3, 60), rng.choice([1.0, 2.0, 4.0, 8.0], 60)
    latency = width * rng.lognormal(0, 0.01, 60) * np.where(size >= np.sort(size)[30], 20, 1)
    assert unexplained(latency, [size, width]).swapped == ()
    # A smooth prediction alone would exchange two rows of these tables.
    monkeypatch.setattr("profilers.audit.residuals._is_at_a_step", lambda *_: False)
    assert len(unexplained(latency, [size, width]).swapped) == 1
