import numpy as np
import pytest
import xgboost as xgb

from predictors.models.trees import trees_of


@pytest.mark.parametrize("rounds", [1, 40])
def test_the_trees_predict_what_xgboost_predicts(rounds: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (400, 4)) / 5.0  # cells that equal the values of the splits
    y = X[:, 0] * X[:, 1] + rng.normal(0, 0.1, 400)
    settings = {"base_score": 0.0, "max_depth": 3, "nthread": 1}
    booster = xgb.train(settings, xgb.DMatrix(X[:200], label=y[:200]), rounds)
    text = booster.save_raw(raw_format="json").decode()
    expected = booster.predict(xgb.DMatrix(X))
    np.testing.assert_allclose(trees_of(text).total(X), expected, rtol=0, atol=1e-5)


def test_a_tree_that_is_a_single_leaf_adds_its_value() -> None:
    X = np.ones((30, 2))
    booster = xgb.train({"base_score": 0.0}, xgb.DMatrix(X, label=np.full(30, 3.0)), 2)
    text = booster.save_raw(raw_format="json").decode()
    expected = booster.predict(xgb.DMatrix(X[:3]))
    np.testing.assert_allclose(trees_of(text).total(X[:3]), expected, rtol=1e-6)
