from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from predictors import Predictor, TableError, fit_log, fitting

Maker = Callable[..., pd.DataFrame]
NOISE = 0.03  # of the made-up logs


def test_the_error_comes_near_the_noise(roofline_log: Maker) -> None:
    # Gaussian noise of 3 % has a mean absolute value of 2.4 %.
    predictor = fit_log(roofline_log(50, seed=0))
    test = roofline_log(1000, seed=1)
    rows = predictor.predict(test)
    error = np.abs(rows["predicted_ms"] / test["latency_ms"] - 1)
    assert error.mean() < 0.03
    assert predictor.report.best.mape < 0.035
    assert predictor.report.best.spearman > 0.98


@pytest.mark.slow
def test_the_bound_holds_on_average_over_logs(roofline_log: Maker) -> None:
    held = []
    for seed in range(6):
        predictor = fit_log(roofline_log(30, seed=seed))
        test = roofline_log(500, seed=1000 + seed)
        held.append(np.mean(test["latency_ms"] <= predictor.predict(test)["upper_ms"]))
    assert np.mean(held) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_bound_holds_over_many_logs(roofline_log: Maker, confidence: float) -> None:
    held = []
    for seed in range(60):
        predictor = fit_log(roofline_log(30, seed=seed))
        test = roofline_log(500, seed=1000 + seed)
        rows = predictor.predict(test, confidence=confidence)
        held.append(np.mean(test["latency_ms"] <= rows["upper_ms"]))
    assert np.mean(held) >= confidence - 0.03


def test_the_report_describes_the_log(roofline_log: Maker) -> None:
    log = roofline_log(40, seed=0).assign(flags="")
    log["ci_low_ms"], log["ci_high_ms"] = 0.98 * log["latency_ms"], 1.02 * log["latency_ms"]
    log.loc[[3, 4], "flags"] = "failed"
    log.loc[[3, 4], "latency_ms"] = np.nan
    predictor = fit_log(log)
    report = predictor.report
    assert (report.n_rows, report.n_excluded, report.targets) == (38, 2, ("latency_ms",))
    assert report.features == tuple(c for c in log.columns if c.startswith("feature_"))
    assert report.noise_floor == pytest.approx(0.02)
    assert [each.confidence for each in report.coverage] == [0.9, 0.95]
    assert predictor.conditions == {"device": "board"}


def test_same_seed_same_predictor(roofline_log: Maker) -> None:
    first, again = (fit_log(roofline_log(25, seed=0), seed=3) for _ in range(2))
    assert first.report == again.report
    np.testing.assert_array_equal(first.ratios, again.ratios)


def test_a_file_of_several_targets(tmp_path: Path, roofline_log: Maker) -> None:
    log = roofline_log(30, seed=0).drop(columns="device")
    log["latency_a"], log["latency_b"] = 0.25 * log["latency_ms"], 0.75 * log["latency_ms"]
    log.drop(columns="latency_ms").to_csv(tmp_path / "lat.csv", index=False)
    summed = fit_log(tmp_path / "lat.csv", targets=["latency_a", "latency_b"])
    whole = fit_log(log, targets=["latency_ms"])
    assert summed.report.best.mape == pytest.approx(whole.report.best.mape)


def test_features_can_be_named(roofline_log: Maker) -> None:
    predictor = fit_log(roofline_log(25, seed=0), features=["feature_decoder_layers"])
    assert predictor.report.features == ("feature_decoder_layers",)


def test_too_few_rows(roofline_log: Maker) -> None:
    log = roofline_log(21, seed=0).assign(flags=["failed"] * 3 + [""] * 18)
    message = r"has 18 usable rows of 21; a predictor needs 20\. Measure 2 more"
    with pytest.raises(TableError, match=message):
        fit_log(log)


def test_mixed_conditions(roofline_log: Maker) -> None:
    log = roofline_log(40, seed=0).assign(power_mode=["15W"] * 20 + ["30W"] * 20)
    with pytest.raises(TableError, match=r"column 'power_mode' has '15W', '30W'"):
        fit_log(log)


def test_a_bad_target_names_its_line(tmp_path: Path, roofline_log: Maker) -> None:
    log = roofline_log(25, seed=0).astype({"latency_ms": object})
    log.loc[4, "latency_ms"] = "slow"
    log.to_csv(tmp_path / "lat.csv", index=False)
    message = r"lat\.csv, line 6, column 'latency_ms'.*Got 'slow'"
    with pytest.raises(TableError, match=message):
        fit_log(tmp_path / "lat.csv")


def test_another_devices_predictor_makes_ten_rows_enough(roofline_log: Maker) -> None:
    # The second device is half as fast and pays 4 ms more for every call.
    base = fit_log(roofline_log(60, seed=0))
    other, test = (
        log.assign(latency_ms=4 + 2 * log["latency_ms"], device="other")
        for log in (roofline_log(10, seed=1), roofline_log(200, seed=2))
    )
    with pytest.raises(TableError, match="has 10 usable rows of 10; a predictor needs 20"):
        fit_log(other)
    predictor = fit_log(other, base=base)
    predicted = predictor.predict(test, confidence=0.5)["predicted_ms"]
    assert np.mean(np.abs(predicted / test["latency_ms"] - 1)) < 2 * NOISE
    assert predictor.report.features[-1] == "base_ms"


def test_a_predictor_takes_its_base_along(roofline_log: Maker, tmp_path: Path) -> None:
    base = fit_log(roofline_log(40, seed=0))
    predictor = fit_log(roofline_log(30, seed=1), base=base)
    predictor.save(tmp_path / "p")
    loaded, rows = Predictor.load(tmp_path / "p"), roofline_log(5, seed=2)
    pd.testing.assert_frame_equal(loaded.predict(rows), predictor.predict(rows))
    assert loaded.base is not None
    assert loaded.base.report == base.report
    assert not loaded.extrapolates(roofline_log(30, seed=1)).any()


def test_a_base_of_other_columns_is_refused_with_their_names(roofline_log: Maker) -> None:
    base = fit_log(roofline_log(25, seed=0))
    lacking = ["feature_encoder_gflops", "feature_experts"]
    message = (
        "'base', the predictor of board, cannot predict these rows: the table: no column "
        "'feature_encoder_gflops', 'feature_experts'"
    )
    with pytest.raises(TableError, match=message):
        fit_log(roofline_log(10, seed=1).drop(columns=lacking), base=base)


def test_groups_are_kept_together(roofline_log: Maker) -> None:
    log = roofline_log(60, seed=0)
    log["family"] = np.arange(60) // 10
    report = fit_log(log, groups=["family"]).report
    assert report.n_groups == 6
    assert report.roles["family"] == "group"  # marked features are all there is
    with pytest.raises(TableError, match="no column 'familie'"):
        fit_log(log, groups=["familie"])


def test_a_base_of_the_same_device_is_refused(roofline_log: Maker) -> None:
    log = roofline_log(30, seed=0).assign(device_fingerprint="abc")
    base = fit_log(log)
    with pytest.raises(TableError, match="'base' must be of another device or workload. Got one"):
        fit_log(log, base=base)
    with pytest.raises(TableError, match="'base' must be of another device or workload. Got one"):
        fit_log(log.assign(schema_version=2), base=base)  # 0.1.0 did not keep it
    for other in (
        {"device_fingerprint": "def"},
        {"runtime": "another"},
        {"schema_version": 3},
    ):
        assert fit_log(log.assign(**other), base=base).base is base
    base = fit_log(log.assign(schema_version=2))
    assert fit_log(log.assign(schema_version=3), base=base).base is base


def test_a_feature_that_is_not_a_number_names_its_line(tmp_path: Path, roofline_log: Maker) -> None:
    path = tmp_path / "lat.csv"
    log = roofline_log(30, seed=0).astype({"feature_experts": str})
    log.loc[5, "feature_experts"] = "nan"
    log.to_csv(path, index=False, na_rep="nan")
    with pytest.raises(TableError, match="line 7, column 'feature_experts': a feature must be"):
        fit_log(path)


def test_a_long_log_is_fitted_by_some_of_its_rows(
    tmp_path: Path, roofline_log: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MOST_ROWS", 40)
    log = tmp_path / "log.csv"
    roofline_log(60, seed=0).to_csv(log, index=False)
    report = fit_log(log, seed=5).report
    assert report.n_rows == 40
    assert report.conversions == ("40 of 60 rows are used, drawn at random with seed 5",)
