import numpy as np
import pytest

from predictors.conformal import ratio_bounds
from predictors.search_bound import search_factor


def pool(n: int, slope: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios, predictions and sizes of rows whose error grows with their size."""
    rng = np.random.default_rng(seed)
    predicted, surplus = rng.uniform(10, 30, n), rng.standard_normal(n)
    ratios = np.exp(slope * surplus + 0.02 * rng.standard_normal(n))
    size = np.log(predicted) + 0.1 * surplus
    return ratios, predicted, np.column_stack([size, rng.standard_normal(n)])


def violations(factor: float, slope: float) -> float:
    """How often the largest row within a budget exceeds it, on a new pool."""
    ratios, predicted, rows = pool(2000, slope, seed=99)
    over = []
    for budget in np.linspace(14, 28, 60):
        fits = np.flatnonzero(predicted * factor <= budget)
        best = fits[rows[fits, 0].argmax()]
        over.append(predicted[best] * ratios[best] > budget)
    return float(np.mean(over))


def test_errors_that_go_with_size_need_a_wider_bound_for_picks() -> None:
    ratios, predicted, rows = pool(300, 0.04, seed=0)
    _, plain = ratio_bounds(ratios, 0.9)
    factor = search_factor(ratios, predicted, rows, confidence=0.9)
    assert factor > plain
    assert violations(factor, 0.04) < violations(plain, 0.04)


def test_it_is_never_tighter_than_the_plain_bound() -> None:
    for seed in range(5):
        ratios, predicted, rows = pool(60, 0.0, seed)
        _, plain = ratio_bounds(ratios, 0.95)
        factor = search_factor(ratios, predicted, rows, confidence=0.95)
        assert plain <= factor <= ratios.max() + 1e-12


def test_too_few_rows_for_the_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="'confidence' 0.95 needs at least 19 measured rows"):
        search_factor(np.ones(10), np.ones(10), np.ones((10, 1)), confidence=0.95)
