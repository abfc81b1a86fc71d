from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import OptimizeResult, approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

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


def set_parameters(
    monkeypatch: pytest.MonkeyPatch,
    columns: Sequence[np.ndarray],
    weights: Sequence[float],
    *,
    walk: float = 0.0,
    **scales: float,
) -> None:
    """Let every process have these standard deviations, and these weights in squared distances."""
    names = ("slopes", "steps", "bend", "points", "noise", "drift")
    groups = [x[:, None] if x.ndim == 1 else x / np.sqrt(2) for x in columns]
    with np.errstate(divide="ignore"):  # the logarithm of 0 switches a part off
        own = np.log([scales.get(name, 0.0) for name in names])
        walks = np.log([walk for x in columns if x.ndim == 1])
    tuned = np.concatenate((own, np.log(weights), walks)), groups
    monkeypatch.setattr(GaussianProcess, "_tuned", lambda *_: tuned)


def left_out(
    covariance: np.ndarray, noise: float, target: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the other kept rows leave of each row, and how surely: a conditional normal law."""
    residuals, deviations = np.empty(len(target)), np.empty(len(target))
    for row in range(len(target)):
        others = np.flatnonzero(kept & (np.arange(len(target)) != row))
        among = covariance[np.ix_(others, others)] + noise**2 * np.eye(len(others))
        weights = np.linalg.solve(among, covariance[others, row])
        residuals[row] = target[row] - weights @ target[others]
        variance = covariance[row, row] + noise**2 - weights @ covariance[others, row]
        deviations[row] = np.sqrt(variance)
    return residuals, deviations


@pytest.mark.parametrize("n_aside", [0, 5])
def test_a_prediction_is_that_of_the_covariance_it_states(
    monkeypatch: pytest.MonkeyPatch, n_aside: int
) -> None:
    rng = np.random.default_rng(0)
    numbers, words = rng.normal(size=(40, 2)), np.eye(3)[rng.integers(3, size=40)]
    numbers[20:30], words[20:30] = numbers[:10], words[:10]  # ten points are repeated
    columns, weights = [numbers[:, 0], numbers[:, 1], words], [0.5, 2.0, 1.5]
    scales = {"slopes": 0.7, "steps": 0.4, "bend": 0.3, "points": 0.25, "noise": 0.2}
    set_parameters(monkeypatch, columns, weights, walk=0.5, **scales)
    # Two different words are at a squared distance of 1.
    stretched = np.column_stack(
        (numbers * np.sqrt(weights[:2]), words / np.sqrt(2) * np.sqrt(weights[2]))
    )
    places = (numbers - numbers.min(0)) / np.ptp(numbers, axis=0)
    point = np.arange(40)
    point[20:30] = point[:10]
    covariance = (
        100.0
        + 0.7**2 * numbers @ numbers.T
        + 0.4**2 * (words @ words.T) / 2
        + 0.3**2 * Matern(nu=2.5)(stretched)
        + 0.25**2 * np.equal.outer(point, point)
        + 0.5**2 * sum(np.minimum.outer(x, x) for x in places.T)
    )
    target, kept = 3 + 2 * rng.normal(size=40), np.arange(40) >= n_aside
    result = GaussianProcess(columns).predict(target, kept)
    centre, spread = np.median(target[kept]), target[kept].std()
    residuals, deviations = left_out(covariance, 0.2, (target - centre) / spread, kept)
    assert result.residuals == pytest.approx(spread * residuals)
    assert result.deviations == pytest.approx(spread * deviations)


def test_a_walk_joins_its_neighbours_by_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # A Brownian bridge between two places a and b away: the line, and the variance a b / (a + b).
    place = np.array([0.0, 0.1, 0.3, 0.6, 1.0])
    target = np.array([1.0, 4.0, 2.0, 2.5, 7.0])
    set_parameters(monkeypatch, [place], [1.0], walk=1.0, noise=1e-4)
    result = GaussianProcess([place]).predict(target, np.ones(5, dtype=bool))
    between = [2.0 - (4.0 + (2.5 - 4.0) * 0.2 / 0.5), 2.5 - (2.0 + (7.0 - 2.0) * 0.3 / 0.7)]
    assert result.residuals[2:4] == pytest.approx(between, abs=1e-4)
    variances = [0.2 * 0.3 / 0.5, 0.3 * 0.4 / 0.7]
    assert result.deviations[2:4] == pytest.approx(target.std() * np.sqrt(variances), rel=1e-4)


def test_the_parameters_follow_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    numbers, words = rng.normal(size=(30, 2)), np.eye(2)[rng.integers(2, size=30)]
    numbers[20:], words[20:] = numbers[:10], words[:10]
    process = GaussianProcess([numbers[:, 0], numbers[:, 1], words])
    losses = []

    def minimize(loss: Any, start: np.ndarray, **options: Any) -> OptimizeResult:
        losses.append((loss, start))
        return OptimizeResult(x=start)

    monkeypatch.setattr("scipy.optimize.minimize", minimize)
    process.predict(rng.normal(size=30), np.ones(30, dtype=bool))
    ((loss, start),) = losses
    x = start + rng.normal(0, 0.3, len(start))
    numeric = approx_fprime(x, lambda at: loss(at)[0], 1e-6)
    assert loss(x)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_loss_is_the_posterior_that_scikit_learn_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    number, target = rng.normal(size=25), rng.normal(size=25)
    losses: list[Any] = []
    monkeypatch.setattr(
        "scipy.optimize.minimize",
        lambda loss, start, **_: losses.append(loss) or OptimizeResult(x=start),
    )
    GaussianProcess([number]).predict(target, np.ones(25, dtype=bool))
    own = (target - np.median(target)) / target.std()

    def likelihood(bend: float, noise: float) -> float:
        kernel = ConstantKernel(100.0) + bend**2 * Matern(nu=2.5) + WhiteKernel(noise**2)
        model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0)
        return float(model.fit(number[:, None], own).log_marginal_likelihood_value_)

    def loss(bend: float, noise: float) -> float:
        scales = np.log([1e-9, 1e-9, bend, 1e-9, noise, 1e-9, 1.0, 1e-9])
        return float(losses[0](scales)[0])

    # Both priors have their centre at a standard deviation: a bend of 0.5 and a noise of 0.1.
    # Their widths are 1 and 2.
    prior = np.log(0.8 / 0.5) ** 2 / 2 + (np.log(0.3 / 0.1) / 2) ** 2 / 2
    off = loss(0.8, 0.3) - loss(0.5, 0.1)
    assert off == pytest.approx(prior + likelihood(0.5, 0.1) - likelihood(0.8, 0.3), abs=1e-6)


def test_noise_is_counted_by_the_rows_that_the_features_leave_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    column, target = rng.normal(size=40), rng.normal(size=40)
    set_parameters(monkeypatch, [column], [1.0], noise=1.0)
    every = np.ones(40, dtype=bool)
    # The level alone takes one of the rows: 40 - 40 / (40 + 1 / 100).
    level = GaussianProcess([column]).predict(target, every)
    assert level.freedom == pytest.approx(40 - 40 / 40.01)
    set_parameters(monkeypatch, [column], [1.0], noise=0.01, slopes=100.0)
    line = GaussianProcess([column]).predict(target, every)
    assert line.freedom == pytest.approx(38, abs=1e-3)


@pytest.mark.parametrize(
    ("freedom", "counted"),
    [(30.0, 30.0), (3.0, 10.0), (10.5, 10.5), (np.inf, 1e6)],  # a quarter of 40 rows is the least
)
def test_a_tail_is_students_with_the_rows_left_free(freedom: float, counted: float) -> None:
    result = Prediction(np.zeros(40), np.ones(40), freedom=freedom)
    assert result.tail(4.0) == pytest.approx(stats.t.sf(4.0, counted), rel=1e-9)


def test_scales_are_logarithmic_and_constants_zero() -> None:
    assert scaled(np.array([1.0, 10.0, 100.0])) == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert scaled(np.array([-3.0, 0.0, 3.0])) == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert scaled(np.array([7.0] * 9 + [7.0 + 1e-15])).tolist() == [0.0] * 10
    assert scaled(np.zeros(3)).tolist() == [0.0] * 3
