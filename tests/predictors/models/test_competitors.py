import numpy as np
import pytest
from sklearn.base import clone

from predictors.models import (
    FlopsLine,
    RooflineBlend,
    RooflineRidge,
    competitors,
    model_state,
    restore_model,
)

ALL = competitors(flops_columns=(0,))
PLAIN = competitors(own_columns=(1, 3))


def table(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 100, (n, 4))
    return X, (1 + X @ [0.1, 0.0, 0.4, 0.02]) * rng.lognormal(0, 0.05, n)


def test_who_competes() -> None:
    always = ["roofline", "ridge", "log_ridge", "roofline_ridge", "roofline_boost"]
    always += ["roofline_gaussian", "roofline_blend"]
    assert list(competitors()) == always
    assert list(competitors(flops_columns=(1,))) == ["flops_line", *always]
    plain = ["plain_roofline", "plain_blend"]
    assert list(competitors(own_columns=(0, 1))) == [*always, *plain]
    assert list(ALL) == ["flops_line", *always]


def test_no_power_law_competes_where_work_overlaps() -> None:
    priced = ["roofline", "roofline_boost", "roofline_gaussian", "roofline_blend"]
    models = competitors(overlap=(0, 1))
    assert list(models) == priced
    blend = models["roofline_blend"]
    assert isinstance(blend, RooflineBlend)
    assert list(blend.parts) == priced[:3]
    assert all(vars(model)["overlap"] == (0, 1) for model in models.values())


@pytest.mark.parametrize("seed", range(3))
def test_architectures_unlike_the_known_ones_are_not_bent_by_them(seed: int) -> None:
    # Column 2 names the four known architectures and means nothing, but in these few it
    # increases with what each of them adds to the true law. A power law of it is off by far.
    rng = np.random.default_rng(seed)
    architecture = np.repeat([1.0, 2, 4, 8], 10)
    X = np.column_stack([*np.exp(rng.uniform(0, 5, (2, 40))), architecture])
    y = (1 + np.hypot(0.3 * X[:, 0], 0.5 * X[:, 1])) * (0.9 + 0.1 * np.log2(architecture))
    unseen = np.column_stack([X[:, :2], np.full(40, 1000.0)])
    truth = (1 + np.hypot(0.3 * X[:, 0], 0.5 * X[:, 1])) * 1.05
    for name, model in competitors(work_columns=(0, 1), overlap=(0, 1)).items():
        error = np.abs(model.fit(X, y).predict(unseen) / truth - 1).mean()
        assert error < 0.25, name
    power_law = RooflineRidge((0, 1)).fit(X, y).predict(unseen)
    assert np.abs(power_law / truth - 1).mean() > 0.5


@pytest.mark.parametrize("name", ALL)
def test_predictions_are_positive_far_outside(name: str) -> None:
    X, y = table()
    model = competitors(flops_columns=(0,))[name].fit(X, y)
    for rows in (X, -10 * X, 1e6 * X):
        predicted = model.predict(rows)
        assert np.isfinite(predicted).all()
        assert (predicted > 0).all()


@pytest.mark.parametrize("name", ALL)
def test_state_restores_the_model(name: str) -> None:
    X, y = table()
    model = competitors(flops_columns=(0, 2))[name].fit(X, y)
    restored = restore_model(name, model_state(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown model 'oracle'\. Known: flops_line, roofline"):
        restore_model("oracle", {})


@pytest.mark.parametrize("latency", [0.0, -1.0])
def test_latency_must_be_positive(latency: float) -> None:
    with pytest.raises(ValueError, match=r"'y' must be milliseconds above 0\. Got"):
        FlopsLine().fit([[1.0], [2.0]], [1.0, latency])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0], [np.nan]], [1.0, 2.0], "must be finite"),
        ([[1.0], [2.0]], [1.0, np.inf], "must be finite"),
        ([1.0, 2.0], [1.0, 2.0], "2 axes. Got shape"),
        ([[1.0], [2.0]], [1.0], "equally many rows, at least 2. Got 2 and 1"),
        ([[1.0]], [1.0], "at least 2. Got 1 and 1"),
    ],
)
def test_arrays_that_cannot_be_fitted(X: list, y: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FlopsLine().fit(X, y)


def test_other_columns_than_in_the_fit() -> None:
    model = FlopsLine().fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"'X' must have 1 columns, as in the fit\. Got 2"):
        model.predict([[1.0, 2.0]])


@pytest.mark.parametrize("name", ALL)
def test_a_clone_has_the_parameters_and_no_fit(name: str) -> None:
    X, y = table()
    cloned = clone(ALL[name].fit(X, y))
    assert vars(cloned) == ALL[name].get_params()
    np.testing.assert_array_equal(cloned.fit(X, y).predict(X), ALL[name].predict(X))


@pytest.mark.parametrize("name", ["plain_roofline", "plain_blend"])
def test_a_plain_model_sees_the_logs_own_columns_only(name: str) -> None:
    X, y = table()
    model = PLAIN[name].fit(X, y)
    other = X.copy()
    other[:, [0, 2]] = 0
    np.testing.assert_array_equal(model.predict(other), model.predict(X))
    np.testing.assert_array_equal(restore_model(name, vars(model)).predict(X), model.predict(X))
