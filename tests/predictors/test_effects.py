import numpy as np
import pytest

from predictors.effects import effects
from predictors.models import Roofline


def test_an_effect_is_the_price_times_the_span_between_quartiles() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 10, 80), rng.uniform(0, 1, 80), np.ones(80)])
    model = Roofline().fit(X, 5 + X @ [2.0, 30.0, 0.0])
    large, small = effects(model, X, ["layers", "mb", "constant"])
    assert [large.column, small.column] == ["mb", "layers"]
    low, high = np.quantile(X[:, 1], [0.25, 0.75])
    assert (large.low, large.high) == (low, high)
    assert large.change_ms == pytest.approx(30 * (high - low), rel=1e-3)


def test_a_column_that_is_mostly_one_value_is_looked_at_end_to_end() -> None:
    X = np.zeros((20, 1))
    X[0] = 1
    model = Roofline().fit(X, 5 + X @ [2.0])
    (effect,) = effects(model, X, ["rare"])
    assert (effect.low, effect.high) == (0, 1)
