from pathlib import Path

import pytest

from profilers import TableSummary, audit_log, summarise_any
from profilers.log.any_log import read_any_log

# `hyperfine 'run -t 1 --size=64' ... --export-markdown`, version 1.18
MARKDOWN = """| Command | Mean [{0}] | Min [{0}] | Max [{0}] | Relative |
|:---|---:|---:|---:|---:|
| `run -t 1 --size=64` | 12.3 ± 0.4 | 11.9 | 13.1 | 1.54 ± 0.06 |
| `run -t 2 --size=64` | 8.0 ± 0.1 | 7.9 | 8.2 | 1.00 |
| `run -t 2 --size=128` | 16.1 ± 0.3 | 15.9 | 16.8 | 2.01 ± 0.05 |
"""


@pytest.mark.parametrize(
    ("unit", "latency"),
    [("ms", (8.0, 12.3, 16.1)), ("s", (8000, 12300, 16100)), ("µs", (0.008, 0.0123, 0.0161))],
)
def test_the_markdown_of_hyperfine_is_read(
    tmp_path: Path, unit: str, latency: tuple[float, float, float]
) -> None:
    path = tmp_path / "any.md"
    path.write_text(MARKDOWN.format(unit), encoding="utf-8")
    summary = summarise_any(path)
    assert isinstance(summary, TableSummary)
    assert (summary.program, summary.latency) == ("hyperfine", (f"Mean [{unit}]",))
    shown = (summary.latency_min_ms, summary.latency_median_ms, summary.latency_max_ms)
    assert shown == pytest.approx(latency)
    assert set(summary.features) == {"parameter_t", "parameter_size"}
    audit = audit_log(path)
    assert not [problem for problem in audit.problems if problem.severity == "problem"]
    assert any("'12.3 ± 0.4' as 12.3" in text for text in audit.conversions)
    assert any(f"'Mean [{unit}]' is in " in text for text in audit.conversions) == (unit != "ms")


def test_what_differs_between_commands_becomes_columns(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    lines = ["./a --n 1 x", "./b --n 2 x"]
    rows = [f"{line},1,0,1,1,1,1,1" for line in lines]
    path.write_text("\n".join(["command,mean,stddev,median,user,system,min,max", *rows]) + "\n")
    log = read_any_log(path)
    assert log.columns[8:] == ("parameter_0", "parameter_n")
    assert [row.cells["parameter_n"] for row in log.rows] == ["1", "2"]
    assert log.remarks[0].endswith("became columns: parameter_0, parameter_n")


def arguments_of(path: Path, *commands: str) -> dict[str, list[str]]:
    header = "command,mean,stddev,median,user,system,min,max"
    path.write_text("\n".join([header, *(f"{x},1,0,1,1,1,1,1" for x in commands)]) + "\n")
    log = read_any_log(path)
    return {name: [row.cells[name] for row in log.rows] for name in log.columns[8:]}


def test_options_may_stand_in_any_order(tmp_path: Path) -> None:
    read = arguments_of(tmp_path / "any.csv", "run -t 1 --size=64 x", "run --size 128 -t 2 y")
    assert read == {
        "parameter_t": ["1", "2"],
        "parameter_size": ["64", "128"],
        "parameter_1": ["x", "y"],
    }


def test_an_option_without_a_value_is_given_or_not(tmp_path: Path) -> None:
    read = arguments_of(tmp_path / "any.csv", "run --n -1", "run --n 2 --fast", "run --fast --n 3")
    assert read == {"parameter_n": ["-1", "2", "3"], "parameter_fast": ["no", "yes", "yes"]}


def test_no_is_a_value_too(tmp_path: Path) -> None:
    read = arguments_of(tmp_path / "any.csv", "run --cache no", "run --cache always")
    assert read == {"parameter_cache": ["no", "always"]}


def test_an_option_that_is_given_twice_keeps_both_values(tmp_path: Path) -> None:
    read = arguments_of(tmp_path / "any.csv", "run -D a=1 -D b=1", "run -D a=1 -D b=2")
    assert list(read.values()) == [["1", "2"]]


@pytest.mark.parametrize(
    ("column", "cells"), [("parameter_n", ("run 1", "run 2")), ("memory", ("run 1", "run 2 x"))]
)
def test_parameters_that_are_given_and_unlike_commands_add_nothing(
    tmp_path: Path, column: str, cells: tuple[str, str]
) -> None:
    path = tmp_path / "any.csv"
    header = f"command,mean,stddev,median,user,system,min,max,{column}"
    path.write_text("\n".join([header, *(f"{x},1,0,1,1,1,1,1,1" for x in cells)]) + "\n")
    assert read_any_log(path).columns == tuple(header.split(","))


def test_a_bar_within_a_command_is_no_border(tmp_path: Path) -> None:
    path = tmp_path / "any.md"
    path.write_text("| command | ms |\n|:--|--:|\n| `a \\| b` | 2 |\n")
    (row,) = read_any_log(path).rows
    assert row.cells == {"command": "a | b", "ms": "2"}
