from dataclasses import replace
from pathlib import Path

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


def test_a_log_of_repeats_keeps_its_groups(tmp_path: Path) -> None:
    twice = pd.concat([table(12, seed=0)] * 2)
    twice["latency_ms"] *= np.random.default_rng(0).lognormal(0, 0.01, 24)
    predictor = fit_log(twice)
    assert predictor.report.n_groups == 12
    again, new = twice.iloc[:1], table(2, seed=1)
    more = pd.concat([again, new])
    refit = refitted(predictor, more, list(more["latency_ms"]))
    assert refit.groups is not None
    assert refit.groups[24] == refit.groups[0] == refit.groups[12]
    assert refit.report.n_groups == 14
    assert refit.predict(new, searched=True)["upper_ms"].notna().all()
    refit.save(tmp_path / "refit.predictor")
    loaded = Predictor.load(tmp_path / "refit.predictor")
    assert loaded.groups is not None
    assert loaded.groups.tolist() == refit.groups.tolist()
    assert loaded.predict(new).equals(refit.predict(new))


def test_a_measured_candidate_joins_the_group_of_the_named_columns() -> None:
    log = table(40, seed=0)
    log["feature_work"] = np.repeat(log["feature_work"].to_numpy()[:10], 4)
    predictor = fit_log(log, groups=["feature_work"])
    row = log.iloc[:1].assign(feature_bytes=3.3)
    refit = refitted(predictor, row, [20.0])
    assert refit.groups is not None
    assert refit.groups[-1] == refit.groups[0]


def test_too_few_groups_are_told_with_what_to_do() -> None:
    few = fit_log(pd.concat([table(12, seed=0)] * 2))
    assert few.shortage() == (
        "a bound at 0.95 takes 19 groups, got 12: this one is wide, assumes normal errors, and may "
        "hold for somewhat fewer new groups; measure "
        "7 more groups, or ask for a --confidence of at most 0.923"
    )
    assert few.shortage(0.9) is None
    assert "fit the log again" in str(replace(few, groups=None).shortage())
