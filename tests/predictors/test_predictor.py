from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from predictors import Predictor, fit_log
from predictors.testing import PredictorContract

Maker = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def fitted(roofline_log: Maker) -> Predictor:
    return fit_log(roofline_log(40, seed=0))


class TestNumericFeatures(PredictorContract):
    @pytest.fixture
    def predictor(self, fitted: Predictor) -> Predictor:
        return fitted

    @pytest.fixture
    def table(self, roofline_log: Maker) -> pd.DataFrame:
        return roofline_log(10, seed=1)


def mixed_log() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    widths = [[int(w) for w in rng.integers(512, 3072, rng.integers(1, 6))] for _ in range(30)]
    routing = rng.choice(["balanced", "worst"], 30)
    slow = np.where(routing == "worst", 2.0, 1.0)
    latency_ms = slow * (5 + np.array([sum(each) for each in widths]) / 500)
    return pd.DataFrame({"ffn": widths, "routing": routing, "latency_ms": latency_ms})


@pytest.fixture(scope="module")
def fitted_to_mixed() -> Predictor:
    return fit_log(mixed_log())


class TestListAndCategoricalFeatures(PredictorContract):
    @pytest.fixture
    def predictor(self, fitted_to_mixed: Predictor) -> Predictor:
        return fitted_to_mixed

    @pytest.fixture
    def table(self) -> pd.DataFrame:
        return mixed_log().iloc[:8]


def test_confidence_out_of_reach_names_the_rows(fitted: Predictor, roofline_log: Maker) -> None:
    with pytest.raises(ValueError, match=r"0\.99 needs at least 99 measured rows\. Got 40"):
        fitted.predict(roofline_log(3, seed=2), confidence=0.99)


def test_rows_of_the_log_do_not_extrapolate(fitted: Predictor, roofline_log: Maker) -> None:
    assert not fitted.extrapolates(roofline_log(40, seed=0)).any()


def test_a_value_outside_the_log_extrapolates(fitted: Predictor, roofline_log: Maker) -> None:
    table = roofline_log(40, seed=0).iloc[:3].astype({"feature_decoder_layers": float})
    table.loc[1, "feature_decoder_layers"] = 12
    table.loc[2, "feature_encoder_gflops"] = 0.1
    assert fitted.extrapolates(table).tolist() == [False, True, True]
    assert not fitted.ranges_left(table[:1])
    known = roofline_log(40, seed=0)["feature_encoder_gflops"]
    assert fitted.ranges_left(table[2:])["feature_encoder_gflops"] == (known.min(), known.max())


def test_a_constant_of_the_log_that_changes_extrapolates() -> None:
    log = mixed_log().assign(vocabulary=32000)
    predictor = fit_log(log)
    assert predictor.constants == {"vocabulary": 32000.0}
    table = log.iloc[:2].assign(vocabulary=[32000, 64000])
    assert predictor.extrapolates(table).tolist() == [False, True]
    assert predictor.ranges_left(table) == {"vocabulary": (32000.0, 32000.0)}


def test_the_order_of_models_is_the_winner_and_then_by_relative_error(fitted: Predictor) -> None:
    errors = [each.mape for each in fitted.report.models[1:]]
    assert errors == sorted(errors)
    assert fitted.report.best.name == fitted.report.winner
    assert {"flops_line", "roofline_gaussian"} <= {each.name for each in fitted.report.models}
