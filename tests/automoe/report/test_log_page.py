from dataclasses import replace
from pathlib import Path

import pytest
from support.measurements import made_up

from automoe.report import render_log
from profilers import LatencyLog

COMMAND = "automoe log show log.csv --html page.html"


def test_a_table_of_others_shows_its_columns_and_latencies(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("batch,latency_s\n1,0.002\n2,0.003\n4,0.005\n")
    page = render_log(path, command=COMMAND)
    assert '<th scope="row">batch</th><td>1 to 4, 3 values</td>' in page
    assert '<th scope="row">largest latency (ms)</th><td>5</td>' in page
    assert "<title>row 2: 3 ms</title>" in page
    assert COMMAND in page
    assert "flags say" not in page


def test_the_width_of_intervals_is_a_share(tmp_path: Path) -> None:
    LatencyLog(tmp_path / "own.csv").append(replace(made_up("p"), ci_low_ms=1.9, ci_high_ms=2.1))
    width = 100 * (2.1 - 1.9) / (2 * made_up("p").latency_ms)
    page = render_log(tmp_path / "own.csv", command=COMMAND)
    assert f"median half-width of the 95 % intervals</th><td>{width:.1f} %</td>" in page


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("batch,latency_ms", ""),
        ("batch,latency_s", " --target latency_s"),
        ("batch,latency (s)", " --target &#39;latency (s)&#39;"),
        ("batch,colour", " --target COLUMN"),
    ],
)
def test_the_next_commands_name_the_latency(tmp_path: Path, header: str, options: str) -> None:
    path = tmp_path / "mine.csv"
    cells = ("red", "blue") if "colour" in header else ("2", "3")
    path.write_text(f"{header}\n1,{cells[0]}\n2,{cells[1]}\n")
    page = render_log(path, command=COMMAND)
    assert f"automoe log check {path}{options}\n" in page
    assert f"automoe fit {path}{options} -o latency.predictor" in page


def test_a_table_without_a_latency_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("batch,colour\n1,red\n2,blue\n")
    page = render_log(path, command=COMMAND)
    assert "No column looks like a latency." in page
    assert "<svg" not in page


def test_the_next_commands_can_be_typed_though_the_path_has_a_space(tmp_path: Path) -> None:
    path = tmp_path / "my log.csv"
    path.write_text("batch,latency_ms\n1,2\n2,3\n")
    quoted = f"&#39;{path}&#39;"
    page = render_log(path, command=COMMAND)
    assert f"automoe log check {quoted}\nautomoe fit {quoted} -o latency.predictor" in page


def test_names_of_others_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("<b>batch,latency_ms\n1,2\n2,3\n")
    assert "<b>" not in render_log(path, command=COMMAND)
