from dataclasses import replace

import pytest

from automoe.report import ReportContents, compared_runs, compared_values, render_comparison


@pytest.fixture
def slower(contents: ReportContents) -> ReportContents:
    latency_ms = {**contents.result["latency_ms"], "measured": 12.5}
    result = {**contents.result, "latency_ms": latency_ms, "certified": False, "seed": 4}
    return replace(contents, title="AutoMoE: other", result=result)


def test_both_runs_stand_side_by_side(contents: ReportContents, slower: ReportContents) -> None:
    rows, warning = compared_runs(contents, slower)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["certified"] == ("yes", "no", "")
    assert by_name["latency, measured"] == ("6.25 ms", "12.5 ms", "0.50")
    assert by_name["latency over that of dense"] == ("0.50", "1.00", "")
    assert by_name["error of the predictor (MAPE)"] == ("3.1 %", "3.1 %", "")
    assert by_name["seed"] == ("3", "4", "")
    assert warning == ""


def test_runs_on_other_devices_are_not_compared_silently(
    contents: ReportContents, slower: ReportContents
) -> None:
    device = {**contents.result["device"], "fingerprint": "xyz"}
    elsewhere = replace(slower, result={**slower.result, "device": device})
    rows, warning = compared_runs(contents, elsewhere)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["latency, measured"] == ("6.25 ms", "12.5 ms", "")
    assert by_name["FLOPs of a sentence"] == ("2,000,000", "2,000,000", "1.00")
    assert warning == (
        "The runs differ in device (abc and xyz): their latencies cannot be compared."
    )
    assert warning in render_comparison(contents, elsewhere)


def test_the_values_of_both_runs_are_numbers(
    contents: ReportContents, slower: ReportContents
) -> None:
    compared = compared_values(replace(contents, folder="runs/first"), slower)
    first, second = compared["runs"]
    assert (first["name"], first["folder"], second["name"]) == ("A run", "runs/first", "other")
    assert (first["predictor_mape"], first["n_evaluated"]) == (0.031, 4)
    assert second["result"]["latency_ms"]["measured"] == 12.5
    assert compared["warning"] is None


def test_the_command_can_be_typed_though_a_folder_has_a_space(contents: ReportContents) -> None:
    page = render_comparison(replace(contents, folder="my runs/first"), contents)
    assert "automoe report --compare &#39;my runs/first&#39; FOLDER -o" in page


def test_the_page_has_both_fronts_and_both_architectures(
    contents: ReportContents, slower: ReportContents
) -> None:
    page = render_comparison(contents, slower)
    assert ">fast: at most 5 ms, loss 4, generation 0, A run<" in page
    assert ">fast: at most 5 ms, loss 4, generation 0, other<" in page
    assert page.count('class="expert"') == 2 * 7


def test_a_run_can_be_compared_with_itself(contents: ReportContents) -> None:
    assert "A run, 1 and A run, 2" in render_comparison(contents, contents)
