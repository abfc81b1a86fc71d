from pathlib import Path

import pytest

from automoe.json_lines import append_line, read_lines


def test_lines_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines.jsonl"
    assert read_lines(path) == []
    for content in ({"a": 1.5}, [None, "ü"], 3):
        append_line(path, content)
    assert read_lines(path) == [{"a": 1.5}, [None, "ü"], 3]
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_line_cut_short_costs_no_other(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, [1])
    append_line(path, {"a": 1})
    path.write_bytes(path.read_bytes()[:-cut])
    append_line(path, [2])
    whole = [{"a": 1}] if cut == 1 else []  # only the line end is missing
    assert read_lines(path) == [[1], *whole, [2]]


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        append_line(tmp_path / "lines.jsonl", float("nan"))
