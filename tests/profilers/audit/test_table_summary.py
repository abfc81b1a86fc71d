from pathlib import Path

import pytest
from support.measurements import made_up

from profilers import LatencyLog, LogError, LogSummary, TableSummary, summarise_any


def test_a_table_of_another_tool_is_summarised(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    rows = [f"m{n % 2},{n},{n}.5,{n}00" for n in range(1, 4)]
    path.write_text("\n".join(["kind,batch,time_s,tokens/s", *rows, "torn,1"]) + "\n")
    summary = summarise_any(path)
    assert isinstance(summary, TableSummary)
    assert (summary.rows, summary.malformed_lines, summary.program) == (3, 1, None)
    assert (summary.latency, summary.units) == (("time_s",), ("s",))
    assert (summary.latency_min_ms, summary.latency_median_ms, summary.latency_max_ms) == (
        *(1500, 2500, 3500),
    )
    assert summary.features == {"batch": "1 to 3, 3 values"}
    assert summary.others == ("kind", "tokens/s")


def test_a_table_without_a_latency_is_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,x\n2,y\n3,x\n4,y\n")
    summary = summarise_any(path)
    assert isinstance(summary, TableSummary)
    assert (summary.latency, summary.latency_min_ms) == ((), None)
    assert summary.features == {"a": "1 to 4, 4 values", "b": "x, y"}


def test_large_numbers_are_shown_without_an_exponent(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("flops,depth,time_s\n1135391.3333,2,1\n2500000000,2,2\n")
    summary = summarise_any(path)
    assert isinstance(summary, TableSummary)
    assert summary.features["flops"] == "1135390 to 2500000000, 2 values"


def test_a_log_of_ours_has_its_own_summary(tmp_path: Path) -> None:
    LatencyLog(tmp_path / "own.csv").append(made_up("p"))
    assert isinstance(summarise_any(tmp_path / "own.csv"), LogSummary)
    with pytest.raises(LogError, match="does not exist"):
        summarise_any(tmp_path / "none.csv")


def test_a_column_of_ours_makes_no_log_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("point_id,batch,time_s\na,1,2\nb,2,3\n")
    summary = summarise_any(path)
    assert isinstance(summary, TableSummary)
    assert summary.latency == ("time_s",)
