from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.rows import (
    NUMBER_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    REQUIRED_COLUMNS,
    format_line,
    parse_header,
    parse_line,
    parse_row,
    require_same,
)

PATH = Path("lat.csv")
HEADER = [*REQUIRED_COLUMNS, "arch"]
CELLS = [
    "1.5" if name in NUMBER_COLUMNS else "" if name in OPTIONAL_NUMBER_COLUMNS else "x"
    for name in HEADER
]


@pytest.mark.parametrize(
    "cells",
    [
        ["a", "b"],
        ["a,b", 'say "c"', "", " d "],
        ["ü", '{"layers": [1, 2]}'],
        ["\x85\u2028\x0b", "separators, but no line breaks"],
    ],
)
def test_cells_are_read_back_as_they_were_written(cells: list[str]) -> None:
    line = format_line(cells)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert parse_line(line) == cells


def test_numbers_keep_every_digit() -> None:
    assert [float(cell) for cell in parse_line(format_line([0.1 + 0.2, 1e-9]))] == [0.1 + 0.2, 1e-9]


@pytest.mark.parametrize("cell", ["a\nb", "a\rb"])
def test_a_line_break_in_a_cell_is_refused(cell: str) -> None:
    with pytest.raises(LogError, match=r"A cell must not hold a line break. Got 'a.*b'. Remove"):
        format_line(["x", cell])


def test_lines_of_other_systems_and_broken_ones_are_read() -> None:
    assert parse_line(b"a,b\r\n") == ["a", "b"]
    assert parse_line(b"a\xff,b\n") == ["a\ufffd", "b"]
    assert parse_line(b"\n") == []
    assert parse_line(b"a\rb,c\n") == []  # no line of a CSV file


def test_a_header_without_our_columns_is_no_latency_log() -> None:
    message = "lat.csv, line 1: column 'schema_version' is missing, .* Got .'a', 'b'.... Give the"
    with pytest.raises(LogError, match=message):
        parse_header(b"a,b\n", PATH)


def test_a_header_with_a_column_twice_is_refused() -> None:
    with pytest.raises(LogError, match="lat.csv, line 1: a column comes twice. Correct the header"):
        parse_header(format_line([*HEADER, "arch"]), PATH)


def test_a_header_may_hold_other_columns_in_any_order() -> None:
    assert parse_header(format_line(HEADER[::-1]), PATH) == HEADER[::-1]


def test_a_row_is_text_by_column() -> None:
    row = parse_row(format_line(CELLS), HEADER, path=PATH, number=2)
    assert row == dict(zip(HEADER, CELLS, strict=True))


@pytest.mark.parametrize("cells", [CELLS[:-1], [*CELLS, "more"], []])
def test_a_row_of_another_length_is_named_by_line(cells: list[str]) -> None:
    message = (
        f"lat.csv, line 7: a row must have {len(HEADER)} fields as the header. "
        f"Got {len(cells)}. Delete the line; resuming measures its point again."
    )
    with pytest.raises(LogError, match=message):
        parse_row(format_line(cells) if cells else b"\n", HEADER, path=PATH, number=7)


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf", "-1.0"])
@pytest.mark.parametrize("column", ["latency_ms", "load_ms"])
def test_a_result_that_is_no_number_is_named_by_line_and_column(column: str, text: str) -> None:
    cells = [text if name == column else cell for name, cell in zip(HEADER, CELLS, strict=True)]
    message = f"lat.csv, line 7: '{column}' must be a finite number from 0 up. Got '{text}'."
    with pytest.raises(LogError, match=message):
        parse_row(format_line(cells), HEADER, path=PATH, number=7)


def test_equal_conditions_join() -> None:
    logged, new = {"threads": "1", "a": "x"}, {"threads": 1, "a": "y"}
    require_same(logged, new, ["threads", "b"], PATH)
    with pytest.raises(LogError, match="'a' must be 'x' as in lat.csv. Got 'y'"):
        require_same(logged, new, ["threads", "a"], PATH)


def test_a_condition_that_differs_is_told_with_both_values() -> None:
    message = (
        "'threads' must be '1' as in lat.csv. Got '2'. "
        "Measurements of different conditions do not mix: use another log."
    )
    with pytest.raises(LogError, match=message):
        require_same({"threads": "1"}, {"threads": 2}, ["threads"], PATH)


def test_a_condition_the_log_does_not_hold_cannot_be_compared() -> None:
    with pytest.raises(LogError, match="lat.csv has no column 'workload', which must be the same"):
        require_same({"threads": "1"}, {"workload": "w"}, ["workload"], PATH)
