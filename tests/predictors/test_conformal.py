from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from predictors.conformal import block_coverage, least_rows, left_out_coverage, ratio_bounds


@pytest.mark.parametrize(("confidence", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_least_rows(confidence: float, rows: int) -> None:
    assert least_rows(confidence) == rows


def test_bounds_are_order_statistics() -> None:
    # n = 39: k = 40 * 0.95 = 38, so the second largest and the second smallest.
    ratios = np.linspace(0.81, 1.19, 39)
    assert ratio_bounds(ratios[::-1], 0.95) == pytest.approx((0.82, 1.18))


def test_bounds_never_exclude_the_prediction() -> None:
    assert ratio_bounds(np.full(19, 0.9), 0.95) == (0.9, 1.0)
    assert ratio_bounds(np.full(19, 1.2), 0.95) == (1.0, 1.2)


def test_too_few_rows_for_the_confidence() -> None:
    message = r"'confidence' 0\.99 needs at least 99 measured rows\. Got 50\. .* at most 0\.980"
    with pytest.raises(ValueError, match=message):
        ratio_bounds(np.ones(50), 0.99)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, float("nan")])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"'confidence' must be between 0 and 1\. Got"):
        ratio_bounds(np.ones(50), confidence)


@pytest.mark.parametrize("n", [19, 30, 57])
def test_coverage_of_exchangeable_ratios_is_nominal(n: int) -> None:
    # P(r_new <= r_(k)) is k / (n + 1) for a continuous distribution, and between two of them the
    # bound is interpolated, so that the share is very nearly the confidence itself.
    rng = np.random.default_rng(0)
    draws = np.exp(0.2 * rng.standard_normal((4000, n + 1)))
    held = [row[-1] <= ratio_bounds(row[:-1], 0.95)[1] for row in draws]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_block_coverage_by_hand() -> None:
    # One block of 10 is 30 % slower. Its rows exceed what the rest gives; the others do not.
    ratios = np.concatenate([np.ones(90), np.full(10, 1.3)])
    assert block_coverage(ratios, 0.9) == pytest.approx(0.9)


def test_block_coverage_needs_rows() -> None:
    assert block_coverage(np.ones(20), 0.95) is None
    assert block_coverage(np.ones(22), 0.95) == 1.0


def test_bounds_widen_with_confidence() -> None:
    ratios = np.exp(np.random.default_rng(1).normal(size=99))
    uppers = [ratio_bounds(ratios, c)[1] for c in (0.5, 0.8, 0.9, 0.95, 0.99)]
    assert all(a <= b for a, b in pairwise(uppers))


@pytest.mark.parametrize("n_rows", [19, 20, 21, 60])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_leaving_every_row_out_is_blocks_of_one(n_rows: int, confidence: float) -> None:
    ratios = np.random.default_rng(0).lognormal(0, 0.1, n_rows).round(2)  # with ties
    blocks = block_coverage(ratios, confidence, n_blocks=n_rows)
    assert left_out_coverage(ratios, confidence) == blocks


def test_leaving_every_row_out_takes_one_sort() -> None:
    # One bound per row, as `block_coverage` computes it, would take many minutes.
    ratios = np.random.default_rng(0).lognormal(0, 0.1, 200_000)
    assert left_out_coverage(ratios, 0.9) == pytest.approx(0.9, abs=1e-4)


_GROUPS = {
    "5x5": [5] * 5,
    "8x4": [4] * 8,
    "10x6": [6] * 10,
    "20x3": [3] * 20,
    "40x1": [1] * 40,
    "unequal": [1, 1, 2, 2, 3, 3, 5, 8] * 3,
}


@pytest.mark.parametrize("shape", _GROUPS)
@pytest.mark.parametrize("common", [1.0, 0.5, 0.0])
def test_rows_of_new_groups_are_covered_as_promised(shape: str, common: float) -> None:
    # `common` is the share of the variance of the error that all rows of a group have in common.
    # Where it is 1 the coverage is 0.95 in theory, and the standard error of the mean is 0.001.
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(len(_GROUPS[shape])), _GROUPS[shape])
    covered = []
    for _ in range(2000):
        of_group, of_row = rng.standard_normal(codes.max() + 1), rng.standard_normal(len(codes))
        errors = common**0.5 * of_group[codes] + (1 - common) ** 0.5 * of_row
        _, upper = ratio_bounds(np.exp(0.02 * errors), 0.95, codes)
        covered.append(norm.cdf(np.log(upper) / 0.02))
    assert np.mean(covered) >= 0.95 - 0.003


def test_rows_that_count_as_independent_cover_fewer_new_groups() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(5), 5)
    draws = np.exp(0.02 * rng.standard_normal((3000, 6)))
    held = [row[-1] <= ratio_bounds(row[codes], 0.95)[1] for row in draws]
    assert np.mean(held) < 0.9


def test_groups_of_one_row_change_nothing() -> None:
    ratios = np.random.default_rng(0).lognormal(0, 0.1, 40)
    names = np.arange(40)[::-1] + 7
    assert ratio_bounds(ratios, 0.95, names) == pytest.approx(ratio_bounds(ratios, 0.95))
    assert block_coverage(ratios, 0.9, groups=names) == block_coverage(ratios, 0.9)


def test_a_row_measured_twice_counts_once() -> None:
    # 39 groups, the last of two equal rows: still the second largest ratio, see above.
    ratios = np.append(np.linspace(0.81, 1.19, 39), 1.19)
    groups = np.append(np.arange(39), 38)
    assert ratio_bounds(ratios, 0.95, groups) == pytest.approx((0.82, 1.18))


def test_few_groups_have_the_limits_of_a_normal_sample() -> None:
    # Two rows in each of 10 groups, alike: mean and t-quantile of 10 values, from a table.
    logs = np.array([-0.05, -0.04, -0.03, -0.02, -0.01, 0.01, 0.02, 0.03, 0.04, 0.05])
    lower, upper = ratio_bounds(np.exp(np.repeat(logs, 2)), 0.95, np.repeat(np.arange(10), 2))
    width = 1.833 * (0.011 / 9 * 1.1) ** 0.5
    assert np.log([lower, upper]) == pytest.approx([-width, width], rel=1e-3)


def test_one_group_has_no_bound() -> None:
    with pytest.raises(ValueError, match="at least 2 groups of rows"):
        ratio_bounds(np.ones(30), 0.95, np.zeros(30))


def test_a_group_is_held_out_as_a_whole() -> None:
    # Each of 20 groups has its own level, and the slowest is over the bound from the others.
    ratios = np.repeat(np.linspace(1, 1.2, 20), 3)
    codes = np.repeat(np.arange(20), 3)
    assert block_coverage(ratios, 0.9, groups=codes, n_blocks=20) == pytest.approx(0.9)
    assert left_out_coverage(ratios, 0.9, codes) == pytest.approx(0.9)
    assert block_coverage(ratios[:30], 0.95, groups=codes[:30]) is not None
    assert block_coverage(ratios[:30], 0.95, groups=codes[:30] // 5) is None


def test_few_groups_are_held_out_with_the_bound_that_they_have() -> None:
    # The slowest of 8 groups is over the bound from the others, unless parameters widen it.
    ratios = np.exp(np.repeat([0.0, 0.01, 0.02, 0.0, 0.01, 0.02, 0.01, 0.032], 4))
    codes = np.repeat(np.arange(8), 4)
    alone = block_coverage(ratios, 0.95, groups=codes, n_blocks=8)
    assert alone == pytest.approx(7 / 8)
    assert block_coverage(ratios, 0.95, groups=codes, fitted=ratios**0.3, n_blocks=8) == 1


def test_a_model_with_parameters_leaves_fewer_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    n_groups, n_draws = 8, 1500
    held, held_without = [], []
    for _ in range(n_draws):
        X = np.column_stack([np.ones(n_groups + 1), rng.standard_normal((n_groups + 1, 3))])
        errors = 0.05 * rng.standard_normal(n_groups + 1)
        known, new = X[:-1], X[-1]
        hat = known @ np.linalg.pinv(known)
        residuals = errors[:-1] - hat @ errors[:-1]
        groups = np.repeat(np.arange(n_groups), 3)
        ratios = np.exp(np.repeat(residuals / (1 - np.diag(hat)), 3))
        fitted = np.exp(np.repeat(residuals, 3))
        actual = np.exp(errors[-1] - new @ np.linalg.pinv(known) @ errors[:-1])
        held.append(actual <= ratio_bounds(ratios, 0.95, groups, fitted=fitted)[1])
        held_without.append(actual <= ratio_bounds(ratios, 0.95, groups)[1])
    assert 0.94 <= np.mean(held) <= 0.99
    assert np.mean(held_without) < np.mean(held)


def test_a_bound_from_few_groups_is_not_below_the_largest_ratio() -> None:
    logs = np.r_[np.zeros(17), 1.0]
    lower, upper = ratio_bounds(np.exp(np.repeat(logs, 2)), 0.95, np.repeat(np.arange(18), 2))
    assert upper == pytest.approx(np.e)
    assert lower < 1
