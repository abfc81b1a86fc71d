import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automoe.architecture.architecture import Architecture
from automoe.report import ReportContents, render
from predictors import fit_log

SECTIONS = ["Search", "Latency predictor", "Measuring", "Supernet"]


class _Tables(HTMLParser):
    """Rows of cells by their first cell, and the headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self.headings: list[str] = []
        self._tag, self._row = "", list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag == "tr":
            self._row = []

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""
        if tag == "tr":
            self.rows[self._row[0]] = self._row[1:]

    def handle_data(self, data: str) -> None:
        if self._tag in ("th", "td", "time"):
            self._row.append(data)
        elif self._tag == "h2":
            self.headings.append(data)


@pytest.fixture(scope="session")
def page(contents: ReportContents) -> str:
    return render(contents)


@pytest.fixture(scope="session")
def plain(contents: ReportContents) -> ReportContents:
    """A result alone: no diagram to wait for."""
    return replace(contents, candidates=[], log=None, predictor=None, training=[])


def test_the_winner_stands_beside_the_largest_dense_one(page: str) -> None:
    rows = _Tables(page).rows
    assert rows["latency, measured"] == ["6.25 ms", "12.5 ms", "0.50"]
    assert rows["95 % interval, high"] == ["6.375 ms", "\N{EN DASH}"]
    assert rows["parameters without embeddings"] == ["5000", "4000", "1.25"]
    assert rows["parameters of embeddings"] == ["300", "300", "1.00"]
    assert rows["FLOPs of a sentence"] == ["2,000,000", "1,000,000", "2.00"]


def test_what_was_not_measured_is_a_dash(page: str) -> None:
    rows = _Tables(page).rows
    assert rows["BLEU"] == ["20.0", "\N{EN DASH}", "\N{EN DASH}"]
    assert rows["latency, upper bound"] == ["7 ms", "\N{EN DASH}", "\N{EN DASH}"]


def test_the_verdict_says_its_numbers_once(page: str) -> None:
    assert "<strong>Certified</strong>: it fits." in page
    verdict = page[page.index('class="verdict good"') : page.index("<nav")]
    assert re.findall(r"[\d.]+ ms", verdict) == []
    assert "0.50 times the latency of the largest dense model" in verdict


def test_an_uncertified_run_without_measurement_invents_none(plain: ReportContents) -> None:
    nothing = dict.fromkeys(plain.result["latency_ms"])
    result = {**plain.result, "certified": False, "latency_ms": nothing, "device": None}
    page = render(replace(plain, result=result))
    assert "<strong>Not certified</strong>" in page
    assert "times the latency" not in page


def test_the_competing_models_are_listed(page: str) -> None:
    rows = _Tables(page).rows
    assert rows["ridge"] == ["3.1 %", "75.0 %", "100.0 %", "0.980"]
    assert rows["flops"] == ["12.3 %", "25.0 %", "50.0 %", "0.800"]


def test_flags_are_counted_and_explained(page: str) -> None:
    assert "<dt>ci_unmet: 1 row</dt>" in page
    assert "<dt>contended: 2 rows</dt><dd>other programs used the cores; end them" in page


def test_the_noise_of_each_session_is_told(contents: ReportContents, log: pd.DataFrame) -> None:
    session = log.assign(
        ci_low_ms=log["latency_ms"] * 0.98,
        ci_high_ms=log["latency_ms"] * 1.02,
        point_id=["a", "b", "c"],
        flags="",
    )
    rows = _Tables(render(replace(contents, verification=[session]))).rows
    assert rows["profiling"] == ["3", "\N{EN DASH}", "1.000 to 1.020", "2"]
    assert rows["verifying"] == ["3", "2.0 %", "1.000 to 1.020", "0"]


def test_the_run_can_be_repeated_from_the_page(contents: ReportContents) -> None:
    page = render(replace(contents, config='{"name": "mine"}', folder="runs/mine"))
    assert "{&#34;name&#34;: &#34;mine&#34;}" in page
    assert "automoe report runs/mine -o report.html" in page


def test_the_commands_can_be_typed_though_the_folder_has_a_space(
    contents: ReportContents,
) -> None:
    page = render(replace(contents, folder="my runs/1"))
    assert "automoe fit &#39;my runs/1/latency.csv&#39; --seed 3 -o predictor.skops" in page
    assert "automoe predict &#39;my runs/1/predictor.skops&#39; &#39;my runs/1/winner/" in page


def test_a_keyboard_reaches_the_values_of_each_figure(page: str) -> None:
    assert "<summary>The 3 values of this figure</summary>" in page
    assert "<li>row 1: predicted 5 ms, measured 4 ms</li>" in page


def test_a_value_at_two_marks_is_listed_once(page: str) -> None:
    lists = re.findall(r"<ol>(.*?)</ol>", page, flags=re.S)
    assert len(lists) > 3
    for values in (re.findall("<li>(.*?)</li>", each) for each in lists):
        assert len(values) == len(set(values)), values
    assert page.count(", returned</li>") == 1


def test_the_front_is_told_as_a_table(page: str, sparse: Architecture) -> None:
    rows = _Tables(page).rows
    assert rows["fast"] == ["5 ms", "4 ms", "4.000"]
    assert rows[f"{sparse.id} (returned)"] == ["7 ms", "6 ms", "3.000"]
    assert "beaten" not in rows


def test_wide_intervals_do_not_contradict_a_small_error(contents: ReportContents) -> None:
    explanation = "This does not contradict the smaller error"
    assert explanation not in render(contents)
    assert contents.predictor
    noisy = replace(contents.predictor.report, noise_floor=0.175)
    page = render(replace(contents, predictor=replace(contents.predictor, report=noisy)))
    assert explanation in page


def test_provenance_comes_from_the_run(page: str) -> None:
    rows = _Tables(page).rows
    assert rows["device"] == ["EPYC (abc)"]
    assert rows["runtime"] == ["onnxruntime 1.22.0"]
    assert rows["seed"] == ["3"]
    assert rows["first measured"] == ["2026-01-01 00:00:00 UTC"]
    assert rows["last measured"] == ["2026-01-01 00:02:00 UTC"]
    assert rows["rows of the log"] == ["3"]


def test_every_part_has_its_section(page: str) -> None:
    assert [h for h in _Tables(page).headings if h in SECTIONS] == SECTIONS


@pytest.mark.parametrize(
    ("empty", "section"),
    [
        ({"candidates": []}, "Search"),
        ({"predictor": None}, "Latency predictor"),
        ({"log": None}, "Measuring"),
        ({"log": pd.DataFrame()}, "Measuring"),
        ({"training": []}, "Supernet"),
    ],
)
def test_what_is_empty_leaves_its_section_out(
    contents: ReportContents, empty: dict[str, Any], section: str
) -> None:
    headings = _Tables(render(replace(contents, **empty))).headings
    assert [h for h in headings if h in SECTIONS] == [s for s in SECTIONS if s != section]


@pytest.mark.parametrize("where", ["title", "reason", "workload"])
def test_text_of_others_is_escaped(plain: ReportContents, where: str) -> None:
    attack = "<script>alert(1)</script>"
    if where == "title":
        page = render(replace(plain, title=attack))
    else:
        page = render(replace(plain, result={**plain.result, where: attack}))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_flags_of_a_log_are_escaped(plain: ReportContents, log: pd.DataFrame) -> None:
    assert "<b>" not in render(replace(plain, log=log.assign(flags="<b>")))


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert re.findall(r"https?://\S*", without_namespaces) == []
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(link.startswith(("#", "data:")) for link in loaded)
    assert not re.search(r"@import|<link", page)


def test_ids_are_unique_on_the_page(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_every_picture_has_a_name(page: str) -> None:
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) == 8
    assert all('role="img"' in each and "aria-label=" in each for each in pictures)


def test_the_same_contents_give_the_same_page(contents: ReportContents, page: str) -> None:
    assert render(contents) == page


def test_the_drawing_is_of_the_returned_architecture(page: str, sparse: Architecture) -> None:
    assert f"encoder of architecture {sparse.id}: experts" in page
    assert page.count('class="expert"') == 7


def test_a_predictor_that_was_really_fitted_is_shown(plain: ReportContents) -> None:
    rng = np.random.default_rng(0)
    work = rng.uniform(1, 5, 30)
    log = pd.DataFrame(
        {
            "feature_gflops": work,
            "latency_ms": 3 * work * rng.lognormal(0, 0.02, 30),
            "sentinel_drift": rng.normal(1, 0.01, 30),
            "flags": "",
            "measured_at": [f"2026-01-01T00:00:{i:02}" for i in range(30)],
            "runtime": "onnxruntime 1",
        }
    )
    page = render(replace(plain, log=log, predictor=fit_log(log)))
    assert "30 measurements were fitted" in page
    assert "No row is flagged." in page
    # The architecture, parity, residuals, calibration, effects, learning curve and drift.
    assert page.count("<figure") == 7
