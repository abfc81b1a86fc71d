from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsRegressor

from predictors import Predictor, fit_log, refitted


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"feature_work": rng.uniform(1, 9, n), "feature_bytes": rng.uniform(1, 9, n)}
    )
    latency = 3 + 2 * frame["feature_work"] + frame["feature_bytes"]
    frame["latency_ms"] = latency * rng.lognormal(0, 0.01, n)
    return frame


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return fit_log(table(40, seed=0))


def error(predictor: Predictor, frame: pd.DataFrame, level: float = 1.0) -> float:
    predicted = predictor.predict(frame)["predicted_ms"]
    return float(np.mean(np.abs(predicted / (level * frame["latency_ms"]) - 1)))


def test_more_rows_of_the_same_are_no_worse(predictor: Predictor) -> None:
    more, unseen = table(40, seed=1), table(200, seed=2)
    found = refitted(predictor, more, list(more["latency_ms"]))
    assert error(found, unseen) < 1.05 * error(predictor, unseen)
    assert len(found.rows) == len(found.ratios) == found.report.n_rows == 80
    assert found.predict(unseen).columns.tolist() == predictor.predict(unseen).columns.tolist()


@pytest.mark.parametrize("level", [0.8, 1.25])
def test_a_few_rows_at_another_level_move_all(predictor: Predictor, level: float) -> None:
    more, unseen = table(5, seed=3), table(200, seed=4)
    found = refitted(predictor, more, list(level * more["latency_ms"]))
    assert error(predictor, unseen, level) > 0.15
    assert error(found, unseen, level) < 0.02


def test_rows_picked_for_their_low_prediction_do_not_pass_for_a_slower_device(
    predictor: Predictor,
) -> None:
    pool, unseen = table(2000, seed=5), table(200, seed=6)
    slower = (pool["latency_ms"] / predictor.predict(pool)["predicted_ms"]).sort_values()
    # All are slower than predicted, as chance has it in one row of twenty or so.
    picked = pool.loc[slower.index[-100:-40:6]]
    found = refitted(predictor, picked, list(picked["latency_ms"]))
    predicted = found.predict(unseen)["predicted_ms"]
    assert (predicted / unseen["latency_ms"]).median() == pytest.approx(1, abs=0.01)
    rescaled = float((picked["latency_ms"] / predictor.predict(picked)["predicted_ms"]).median())
    assert rescaled > 1.015, "taken for the device's level, the error would be larger than that"


def test_what_was_measured_twice_is_not_tested_on_itself(predictor: Predictor) -> None:
    # A model that remembers, and a latency that nothing but its repeats can foretell.
    remembers = replace(
        predictor, model=KNeighborsRegressor(n_neighbors=1).fit(predictor.rows, predictor.unseen_ms)
    )
    plain, odd = table(6, seed=7), pd.concat([table(1, seed=8)] * 4)
    found = refitted(remembers, pd.concat([plain, odd]), [*plain["latency_ms"], *[100.0] * 4])
    assert found.ratios[-4:].min() > 2


def test_the_predictor_is_left_as_it_was(predictor: Predictor) -> None:
    more, unseen = table(5, seed=3), table(20, seed=4)
    before = predictor.predict(unseen)
    refitted(predictor, more, list(2 * more["latency_ms"]))
    pd.testing.assert_frame_equal(predictor.predict(unseen), before)


def test_it_can_be_saved(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> None:
    more = table(5, seed=3)
    found = refitted(predictor, more, list(more["latency_ms"]))
    path = tmp_path_factory.mktemp("refitted") / "p"
    found.save(path)
    pd.testing.assert_frame_equal(Predictor.load(path).predict(more), found.predict(more))


@pytest.mark.parametrize("wrong", [[], [1.0, 0.0, 1.0, 1.0, 1.0], [float("nan")] * 5])
def test_latencies_that_are_none_are_refused(predictor: Predictor, wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="'latency_ms' must hold latencies above 0"):
        refitted(predictor, table(5, seed=3).head(len(wrong)), wrong)
