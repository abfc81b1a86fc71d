from pathlib import Path

import pytest

from profilers.log.any_log import read_any_log
from profilers.log.summary_rows import is_sum, n_summaries


def test_a_row_that_sums_up_the_others_is_no_measurement(tmp_path: Path) -> None:
    path = tmp_path / "counters.csv"  # in the form of OpenVINO's detailed counters
    path.write_text("layer;realTime (ms)\nconv1;1,5\nconv2;2,5\nTotal;4,0\n")
    log = read_any_log(path)
    assert [row.cells["realTime (ms)"] for row in log.rows] == ["1.5", "2.5"]
    assert log.remarks == ("line 4 begins with 'Total', so it sums up the others and is left out",)


@pytest.mark.parametrize(
    ("first_cells", "n"),
    [
        (["a", "b", "Average:"], 1),
        (["1", "2", "Total", "AVERAGE"], 2),
        (["1", "2", "Average", "Std"], 2),
        (["a", "Total", "b", "Total"], 0),  # one for each part of the table
        (["Conv", "Mean", "Sum"], 0),  # operators
        (["total", "total"], 0),
        ([], 0),
    ],
)
def test_a_summary_is_told_by_the_first_cell_of_the_last_rows(
    first_cells: list[str], n: int
) -> None:
    assert n_summaries([("", cell, "1.5") for cell in first_cells]) == n


def test_a_row_of_sums_and_repeated_headers_are_no_measurements(tmp_path: Path) -> None:
    path = tmp_path / "joined.csv"  # two files in one, with a total of a spreadsheet
    rows = [f"{n},{n + 0.5}" for n in range(1, 6)]
    header = "batch,latency_ms"
    path.write_text("\n".join([header, *rows[:2], header, *rows[2:], "15,17.5"]) + "\n")
    log = read_any_log(path)
    assert [row.cells["batch"] for row in log.rows] == ["1", "2", "3", "4", "5"]
    assert log.remarks == (
        "line 4 repeats the header and is left out",
        "line 8 is the sum of the others and is left out",
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [(("15", "17.5"), True), (("", "17.5"), False), (("15", "17.6"), False), (("a", "15"), False)],
)
def test_a_sum_needs_two_columns_that_agree(last: tuple[str, str], expected: bool) -> None:
    assert is_sum([*((str(n), str(n + 0.5)) for n in range(1, 6)), last]) is expected


def test_few_rows_may_have_a_sum_by_chance() -> None:
    assert not is_sum([("1", "2"), ("2", "3"), ("3", "5")])
