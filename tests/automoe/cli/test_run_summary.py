"""The summary at the end of `automoe run`; its figures are those of the result file."""

import copy
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.commands import parse
from support.documents import invocations
from support.small_text import write_corpus

from automoe.cli import run_summary
from automoe.cli.run_summary import program, summary_of
from automoe.pipeline import RunConfig, RunSummary

EARLIER = Path(__file__).parents[3] / "tests/earlier_files/run/result.json"


@pytest.fixture
def result() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(EARLIER.read_text())
    content |= {"n_measured": 3, "bleu": 10.44, "n_sentences": 20}
    content["params"], content["active_params"] = 1_234_567, 1_100_000
    content["baseline"] |= {"bleu": 9.96, "params": 2_345_678, "active_params": 2_345_678}
    return content


def printed(result: dict[str, Any], folder: Path, **search: float) -> str:
    config = RunConfig.model_validate(
        {
            "name": "short",
            "output": folder / "a run",
            "space": {"name": "tiny"},
            "data": {"folder": write_corpus(folder / "text").folder},
            "search": search or {"budget_share": 0.75},
        }
    )
    files = config.folder / "result.json", config.folder / "report.html"
    return "\n".join(summary_of(RunSummary(result, *files), config, folder / "my config.yaml"))


def test_it_says_what_was_searched_and_what_came_out(
    result: dict[str, Any], tmp_path: Path
) -> None:
    text = printed(result, tmp_path)
    assert text.startswith("Certified: measured 0.8122 ms")
    assert "the space 'small' of 39.7 million architectures: 18 were evaluated, 3 measured" in text
    # 1.71223 / 0.75 = 2.28297...
    assert "1.713 ms, which is 0.75 times the 2.283 ms that were predicted for the" in text
    # The lower end of an interval is rounded down, and the upper end up.
    latencies = r"latency +0\.8122 ms \(0\.8063 to 0\.817\) +1\.426 ms \(1\.421 to 1\.433\)\n"
    assert re.search(latencies, text)
    assert re.search(r"BLEU of 20 sentences +10\.4 +10\.0\n", text)
    assert re.search(r"parameters +1\.23 M, 1\.10 M for a token +2\.35 M\n", text)
    # 0.81222 / 1.42594 = 0.5696
    assert "0.57 times the latency of the largest dense model at BLEU 10.4 against 10.0." in text
    assert f"report        {tmp_path}/a run/report.html" in text


def test_it_shows_what_the_search_for_the_best_translation_adds(
    result: dict[str, Any], tmp_path: Path
) -> None:
    assert "whole translation" not in printed(result, tmp_path)
    result["translation_ms"] = {"whole": 1.03456, "graphs": 0.84}
    result["baseline"]["translation_ms"] = {"whole": 1.7, "graphs": 1.5}
    row = r"whole translation +1\.035 ms \(graphs 0\.84\) +1\.7 ms \(graphs 1\.5\)\n"
    assert re.search(row, printed(result, tmp_path))


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (999, "999"),
        (1000, "1 thousand"),
        (21_449_472, "21.4 million"),
        (3 * 10**11, "300 billion"),
        (8 * 10**23, "about 10^23"),
    ],
)
def test_a_count_is_easy_to_read(
    result: dict[str, Any], tmp_path: Path, count: int, words: str
) -> None:
    result["space"]["count"] = count
    assert f"'small' of {words} architectures" in printed(result, tmp_path)


def test_a_budget_in_milliseconds_is_that_of_the_configuration(
    result: dict[str, Any], tmp_path: Path
) -> None:
    text = printed(result, tmp_path, budget_ms=1.71223)
    assert "budget        1.713 ms, as the configuration says\n" in text


def test_a_latency_that_was_not_measured_is_called_predicted(
    result: dict[str, Any], tmp_path: Path
) -> None:
    unmeasured = copy.deepcopy(result["baseline"])
    unmeasured["latency_ms"] |= {"measured": None, "ci_low": None, "ci_high": None}
    text = printed(result | {"baseline": unmeasured}, tmp_path)
    assert "1.427 ms, predicted" in text
    assert "times the latency" not in text


@pytest.mark.parametrize("is_certified", [True, False])
def test_every_command_that_it_names_is_one(
    result: dict[str, Any], tmp_path: Path, is_certified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_summary, "program", lambda: "automoe")
    text = printed(result | {"certified": is_certified}, tmp_path)
    lines = text.partition("Try next:\n")[2].splitlines()
    calls = [words for line in lines for words in invocations(line.strip(), "automoe")]
    for words in calls:
        parse(words)
    assert [words[0] for words in calls[:3]] == ["translate", "search", "devices"]
    assert (["doctor", "--device", "cpu"] in calls) is not is_certified
    assert ("a run/verification'*" in text) is not is_certified
    assert (["run", f"{tmp_path}/my config.yaml"] == calls[-1]) is not is_certified
    (first,) = [shlex.split(line) for line in lines if "translate" in line]
    assert first[:3] == ["echo", "The house is red.", "|"]
    search = dict(zip(calls[1][1::2], calls[1][2::2], strict=True))
    lowest_ms = result["feasibility"]["smallest"]["upper_ms"]
    assert lowest_ms < float(search["--budget-ms"]) < result["budget_ms"]


def test_a_command_that_the_reason_names_is_not_printed_again(
    result: dict[str, Any], tmp_path: Path
) -> None:
    deletion = f"rm '{tmp_path}/a run/verification'*"
    reason = f"none fits; end those programs, then measure again: {deletion}"
    text = printed(result | {"certified": False, "reason": reason}, tmp_path)
    assert text.count("rm ") == 1
    assert "measure once more, after the 'rm' that is named above:\n" in text


def test_the_program_is_named_as_the_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert program() == str(tmp_path / "bin/automoe")
    monkeypatch.chdir(tmp_path)
    assert program() == "bin/automoe"
    (tmp_path / "bin/automoe").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert program() == "automoe"
