from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.features import features
from automoe.latency.model import LatencyModel
from predictors import PredictorFileError, fit_log

SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE, beam=2)
NOISE = 0.02


@pytest.fixture(scope="module")
def drawn() -> list[Architecture]:
    rng = Random(1)
    return list(dict.fromkeys(SPACE.sample(rng) for _ in range(60)))[:50]


@pytest.fixture(scope="module")
def model(drawn: list[Architecture], tmp_path_factory: pytest.TempPathFactory) -> LatencyModel:
    """Fitted to a log whose latency is linear in two features."""
    frame = pd.DataFrame([features(a, WORKLOAD) for a in drawn[:40]])
    noise = np.random.default_rng(0).lognormal(0, NOISE, len(frame))
    work = frame["feature_total_mflops"] + frame["feature_decoder_layers"]
    frame["latency_ms"] = (1 + work) * noise
    frame["workload"] = str(WORKLOAD)
    path = tmp_path_factory.mktemp("fit") / "predictor"
    # Few columns, because a fit to all of them takes half a minute.
    columns = [f"feature_{name}" for name in ("total_mflops", "decoder_layers", "cross_span")]
    fit_log(frame, features=columns).save(path)
    return LatencyModel.open(path)


def test_it_remembers_the_sentence(model: LatencyModel) -> None:
    assert model.workload == WORKLOAD


def test_predictions_are_in_order_and_near(model: LatencyModel, drawn: list[Architecture]) -> None:
    unseen = drawn[40:]
    rows = model.predict(unseen)
    assert len(rows) == len(unseen)
    assert list(rows.columns) == ["predicted_ms", "lower_ms", "upper_ms"]
    for architecture, predicted in zip(unseen, rows["predicted_ms"], strict=True):
        row = features(architecture, WORKLOAD)
        expected = 1 + row["feature_total_mflops"] + row["feature_decoder_layers"]
        assert predicted == pytest.approx(expected, rel=6 * NOISE)


def test_the_upper_bound_is_that_for_a_search(
    model: LatencyModel, drawn: list[Architecture]
) -> None:
    loose, tight = model.upper_ms(drawn), model.upper_ms(drawn, confidence=0.5)
    assert loose.shape == (len(drawn),)
    np.testing.assert_array_equal(loose, model.predict(drawn, searched=True)["upper_ms"])
    assert (loose >= tight).all()


def test_confidence_out_of_reach_is_refused(model: LatencyModel, drawn: list[Architecture]) -> None:
    with pytest.raises(ValueError, match="'confidence' 0.99 needs at least 99 measured rows"):
        model.predict(drawn, confidence=0.99)


@pytest.mark.parametrize("conditions", [{}, {"workload": "x=1x30"}])
def test_a_log_without_architectures_is_refused(
    model: LatencyModel, tmp_path: Path, conditions: dict[str, str]
) -> None:
    replace(model.predictor, conditions=conditions).save(tmp_path / "p")
    with pytest.raises(PredictorFileError, match="was fitted to a log without architectures"):
        LatencyModel.open(tmp_path / "p")


def test_a_model_shows_what_its_predictor_was_fitted_to(model: LatencyModel) -> None:
    assert repr(model).splitlines()[1:] == repr(model.predictor).splitlines()[1:]
