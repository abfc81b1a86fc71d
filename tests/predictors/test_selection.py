import numpy as np

from predictors.models import LatencyModel, LogRidge, Ridge, Roofline
from predictors.selection import _simplest, select


def table(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 10, (n, 3))
    return X, 2 + X @ [1.0, 0.0, 3.0]


def test_the_model_of_the_true_law_wins() -> None:
    X, y = table(40)
    models: dict[str, LatencyModel] = {"log_ridge": LogRidge(), "roofline": Roofline()}
    found = select(models, X, y)
    assert found.winner == "roofline"
    assert [each.name for each in found.scores] == ["roofline", "log_ridge"]
    np.testing.assert_allclose(found.unseen_ms, y, rtol=1e-6)


def test_every_row_is_predicted_unseen() -> None:
    # Pure noise: a model that had seen the row would be nearer than the spread of the target.
    rng = np.random.default_rng(1)
    y = rng.uniform(1, 2, 60)
    found = select({"ridge": Ridge()}, rng.normal(size=(60, 20)), y)
    assert found.scores[0].mape > 0.9 * np.mean(np.abs(np.median(y) / y - 1))


def test_the_same_seed_gives_the_same_predictions() -> None:
    X, y = table(30)
    y = y * np.random.default_rng(2).lognormal(0, 0.1, 30)
    first, again, other = (select({"ridge": Ridge()}, X, y, seed=s).unseen_ms for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_simpler_model_wins_a_tie() -> None:
    X, y = table(30)
    assert select({"a": Roofline(), "b": Roofline()}, X, y).winner == "a"


def test_with_groups_the_smallest_error_wins() -> None:
    # The law bends a little, so that the power law is better than the line, but not clearly.
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 10, (40, 1))
    y = X[:, 0] ** 1.1 * rng.lognormal(0, 0.1, 40)
    models: dict[str, LatencyModel] = {"roofline": Roofline(), "log_ridge": LogRidge()}
    each = select(models, X, y)
    grouped = select(models, X, y, groups=np.arange(40))
    assert each.winner == "roofline"
    assert each.scores[1].mape < each.scores[0].mape
    assert grouped.winner == "log_ridge"


def test_a_complex_model_must_be_clearly_better() -> None:
    # The row's errors under "b" are smaller by a mean that its spread explains, then by far.
    same = _simplest(np.array([[0.10, 0.12, 0.08, 0.11], [0.11, 0.08, 0.12, 0.07]]), 2.0)
    worse = _simplest(np.array([[0.30, 0.32, 0.28, 0.31], [0.11, 0.08, 0.12, 0.07]]), 2.0)
    assert (same, worse) == (0, 1)


def test_each_model_is_told_when_it_was_compared() -> None:
    rng, told = np.random.default_rng(0), []
    X = rng.uniform(1, 2, (30, 2))
    models = {"first": Ridge(), "second": Ridge()}
    select(models, X, X.sum(axis=1), on_compared=lambda n, name: told.append((n, name)))
    assert told == [(1, "first"), (2, "second")]
