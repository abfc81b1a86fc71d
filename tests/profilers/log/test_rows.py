from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.records import records_of
from profilers.log.rows import (
    NUMBER_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    REQUIRED_COLUMNS,
    format_line,
    malformed_row,
    require_columns,
    require_results,
    require_same,
)

PATH = Path("lat.csv")
HEADER = [*REQUIRED_COLUMNS, "arch"]
CELLS = [
    "1.5" if name in NUMBER_COLUMNS else "" if name in OPTIONAL_NUMBER_COLUMNS else "x"
    for name in HEADER
]


def read_back(line: bytes) -> list[str]:
    (record,) = records_of(line.decode())
    return list(record.cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["a", "b"],
        ["a,b", 'say "c"', "", "d e"],
        ["ü", '{"layers": [1, 2]}'],
        ["a\x85b\u2028c\x0bd", "separators, but no line breaks"],
    ],
)
def test_cells_are_read_back_as_they_were_written(cells: list[str]) -> None:
    line = format_line(cells)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert read_back(line) == cells


def test_numbers_keep_every_digit() -> None:
    assert [float(cell) for cell in read_back(format_line([0.1 + 0.2, 1e-9]))] == [0.1 + 0.2, 1e-9]


@pytest.mark.parametrize("cell", ["a\nb", "a\rb"])
def test_a_line_break_in_a_cell_is_refused(cell: str) -> None:
    with pytest.raises(LogError, match=r"A cell must not hold a line break. Got 'a.*b'. Remove"):
        format_line(["x", cell])


def test_a_header_without_our_columns_is_no_latency_log() -> None:
    message = "lat.csv, line 1: column 'schema_version' is missing, .* Got 'a', 'b'... Give the"
    with pytest.raises(LogError, match=message):
        require_columns(["a", "b"], PATH)


def test_a_header_with_a_column_twice_is_refused() -> None:
    with pytest.raises(LogError, match="lat.csv, line 1: a column comes twice. Correct the header"):
        require_columns([*HEADER, "arch"], PATH)


def test_a_header_may_hold_other_columns_in_any_order() -> None:
    require_columns(HEADER[::-1], PATH)


def test_results_are_numbers_and_some_may_be_blank() -> None:
    require_results(dict(zip(HEADER, CELLS, strict=True)), path=PATH, line=2)


@pytest.mark.parametrize(
    ("n_cells", "why"),
    [
        (5, "a row must have 6 fields as the header. Got 5."),
        (7, "a row must have 6 fields as the header. Got 7."),
        (6, "a row must be one line."),
    ],
)
def test_what_is_no_row_is_named_by_line(n_cells: int, why: str) -> None:
    message = f"lat.csv, line 7: {why} Delete the line; resuming measures its point again."
    assert str(malformed_row(6, n_cells, path=PATH, line=7)) == message


def test_the_parsers_own_error_comes_first() -> None:
    error = malformed_row(6, 0, path=PATH, line=7, error="unexpected end of data")
    assert str(error).startswith("lat.csv, line 7: unexpected end of data. Delete the line;")


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf", "-1.0"])
@pytest.mark.parametrize("column", ["latency_ms", "load_ms"])
def test_a_result_that_is_no_number_is_named_by_line_and_column(column: str, text: str) -> None:
    row = {**dict(zip(HEADER, CELLS, strict=True)), column: text}
    message = f"lat.csv, line 7: '{column}' must be a finite number from 0 up. Got '{text}'."
    with pytest.raises(LogError, match=message):
        require_results(row, path=PATH, line=7)


def test_equal_conditions_join() -> None:
    logged = {"threads": "1", "a": "x"}
    require_same(logged, {"threads": 1, "a": "y"}, PATH)
    with pytest.raises(LogError, match="'threads' must be '1' as in lat.csv. Got '2'"):
        require_same(logged, {"threads": 2, "a": "x"}, PATH)


def test_a_condition_that_differs_is_told_with_both_values() -> None:
    message = (
        "'threads' must be '1' as in lat.csv. Got '2'. "
        "Measurements of different conditions do not mix: use another log."
    )
    with pytest.raises(LogError, match=message):
        require_same({"threads": "1"}, {"threads": 2}, PATH)


def test_a_log_of_another_release_is_told_apart_from_another_condition() -> None:
    message = (
        "'schema_version' must be '2' as in lat.csv. Got '3'. "
        "Releases with different numbers time other graphs, or in another way: use another log."
    )
    with pytest.raises(LogError, match=message):
        require_same({"schema_version": "2"}, {"schema_version": 3}, PATH)


def test_a_condition_the_log_does_not_hold_cannot_be_compared() -> None:
    with pytest.raises(LogError, match="lat.csv has no column 'workload', which must be the same"):
        require_same({"threads": "1"}, {"workload": "w"}, PATH)
