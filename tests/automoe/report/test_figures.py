import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from support.contrast import contrast

from automoe.report import Candidate
from automoe.report.figures import (
    GENERATIONS,
    drift_figure,
    fit_figures,
    intervals_figure,
    latency_figure,
    load_figure,
    search_figure,
    training_figure,
)
from automoe.training import Record
from predictors import Predictor
from predictors.effects import Effect
from predictors.learning_curve import LearningCurve


@pytest.fixture
def plotted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[float], list[float]]]:
    """The x and y of every line and point set, as they are handed to matplotlib."""
    calls: list[tuple[list[float], list[float]]] = []
    for name in ("scatter", "plot", "step"):
        original = getattr(Axes, name)

        def record(self: Axes, x: Any, y: Any, *rest: Any, _to: Any = original, **more: Any) -> Any:
            calls.append((list(x), list(y)))
            return _to(self, x, y, *rest, **more)

        monkeypatch.setattr(Axes, name, record)
    return calls


def test_search_shows_all_then_the_front_then_the_winner(
    plotted: list[Any], candidates: list[Candidate], result: dict[str, Any]
) -> None:
    search_figure(candidates, result)
    assert plotted[0] == ([9, 8, 7, 5], [2, 3.5, 3, 4])
    assert ([5, 7, 9], [4, 3, 2]) in plotted
    assert plotted[-1] == ([7], [3])


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    numbers = re.findall(r"<text[^>]*>([^<]*)</text>", latency_figure([1.5, 4.0, 60.0]))
    assert {"2", "5", "10", "20", "50"} <= set(numbers)


def test_a_winner_that_was_not_searched_is_not_marked(
    candidates: list[Candidate], result: dict[str, Any]
) -> None:
    assert "returned" not in search_figure(candidates, result | {"architecture_id": "other"})


def test_parity_multiplies_the_prediction_by_the_ratio(
    plotted: list[Any], predictor: Predictor
) -> None:
    fit_figures(predictor)
    assert plotted[0] == ([5, 5, 9], [4, 6, 9])


def test_residuals_keep_the_order_of_the_log(plotted: list[Any], predictor: Predictor) -> None:
    fit_figures(predictor)
    assert ([1, 2, 3], [0.8, 1.2, 1.0]) in plotted


def test_what_there_is_no_data_for_is_not_drawn(predictor: Predictor) -> None:
    assert list(fit_figures(predictor)) == ["parity", "residuals", "calibration"]
    curve = LearningCurve((10, 20), (0.06, 0.04), floor=0.02, slope=0.4)
    effect = Effect("layers", 1, 3, 0.5)
    report = replace(predictor.report, learning_curve=curve, effects=(effect,))
    assert list(fit_figures(replace(predictor, report=report)))[-2:] == [
        "effects",
        "learning_curve",
    ]


def test_drift_follows_the_clock_not_the_file(plotted: list[Any], log: pd.DataFrame) -> None:
    drift_figure(log)
    assert plotted[0] == ([1, 2, 3], [1.02, 1.0, 1.01])


def test_validation_is_drawn_where_it_was_computed(plotted: list[Any]) -> None:
    training_figure([Record(10, 5.0, None), Record(20, 4.0, 4.5)])
    assert plotted[:2] == [([10, 20], [5, 4]), ([20], [4.5])]


def test_a_figure_is_named_themed_and_refers_to_its_own_ids_only(predictor: Predictor) -> None:
    svg = fit_figures(predictor)["residuals"]
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == "Ratio of measured to predicted latency by row of the log"
    assert "currentColor" in svg
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert used <= set(ids)
    assert len(ids) == len(set(ids))


def _titles(svg: str) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", svg)


def test_every_candidate_says_on_hovering_what_it_is(
    candidates: list[Candidate], result: dict[str, Any]
) -> None:
    titles = _titles(search_figure(candidates, result))
    assert titles[:2] == [
        "slow: at most 9 ms, loss 2, generation 1",
        "beaten: at most 8 ms, loss 3.5, generation 0",
    ]
    returned = f"{result['architecture_id']}: at most 7 ms, loss 3, generation 1, returned"
    assert titles.count(returned) == 2  # the point and the star


def test_rows_say_on_hovering_what_they_are(predictor: Predictor, log: pd.DataFrame) -> None:
    figures = fit_figures(predictor)
    assert _titles(figures["parity"])[0] == "row 1: predicted 5 ms, measured 4 ms"
    assert _titles(figures["residuals"])[1] == "row 2: 1.200 times the prediction"
    assert _titles(drift_figure(log)) == ["row 1: 1.020", "row 2: 1.000", "row 3: 1.010"]


def test_a_feature_is_named_in_words(predictor: Predictor) -> None:
    effect = Effect("feature_encoder_ffn_mflops", 1, 3, 0.5)
    report = replace(predictor.report, effects=(effect,))
    svg = fit_figures(replace(predictor, report=report))["effects"]
    assert _titles(svg) == ["encoder feed-forward (MFLOPs): +0.5 ms"]
    assert "feature_" not in svg


def test_intervals_and_loads_tell_their_numbers() -> None:
    svg = intervals_figure([("returned, 1", 6.0, 5.5, 6.5)], budget_ms=7.0, name="sessions")
    assert set(_titles(svg)) == {"returned, 1: 6 ms, 95 % interval 5.5 to 6.5 ms"}
    assert _titles(load_figure({"encoder 1": [0.25, 0.75]})) == [
        "encoder 1, expert 1: 25.0% of the tokens",
        "encoder 1, expert 2: 75.0% of the tokens",
    ]


def test_a_long_log_is_thinned_out() -> None:
    assert 200 <= len(_titles(latency_figure([1.0] * 5000))) <= 400


@pytest.mark.parametrize("paper", ["#ffffff", "#161616"])
def test_every_generation_is_visible_in_the_light_and_in_the_dark(paper: str) -> None:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert contrast(to_hex(GENERATIONS(share)), paper) >= 3
