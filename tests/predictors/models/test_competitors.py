import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from predictors.models import FlopsLine, LatencyModel, competitors, model_state, restore_model

ALL = competitors(200, flops_columns=(0,))


def table(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 100, (n, 4))
    return X, (1 + X @ [0.1, 0.0, 0.4, 0.02]) * rng.lognormal(0, 0.05, n)


def test_who_competes() -> None:
    always = ["roofline", "ridge", "log_ridge", "roofline_ridge", "roofline_boost"]
    small = [*always, "roofline_gaussian", "roofline_blend"]
    assert list(competitors(40)) == small
    assert list(competitors(40, flops_columns=(1,))) == ["flops_line", *small]
    assert list(competitors(2000)) == always
    assert list(ALL) == ["flops_line", *small]


@pytest.mark.parametrize("name", ALL)
def test_predictions_are_positive_far_outside(name: str) -> None:
    X, y = table()
    model = competitors(200, flops_columns=(0,))[name].fit(X, y)
    for rows in (X, -10 * X, 1e6 * X):
        predicted = model.predict(rows)
        assert np.isfinite(predicted).all()
        assert (predicted > 0).all()


@pytest.mark.parametrize("name", ALL)
def test_state_restores_the_model(name: str) -> None:
    X, y = table()
    model = competitors(200, flops_columns=(0, 2))[name].fit(X, y)
    restored = restore_model(name, model_state(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown model 'oracle'\. Known: flops_line, roofline"):
        restore_model("oracle", {})


@pytest.mark.parametrize("latency", [0.0, -1.0])
def test_latency_must_be_positive(latency: float) -> None:
    with pytest.raises(ValueError, match=r"'y' must be milliseconds above 0\. Got"):
        FlopsLine().fit([[1.0], [2.0]], [1.0, latency])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(list(ALL.values()))
def test_scikit_learn_conventions(estimator: LatencyModel, check: object) -> None:
    check(estimator)
