import re
from pathlib import Path

import numpy as np
import pytest

from predictors import TableError, read_table
from predictors.table import positive_column


def write(folder: Path, text: str) -> Path:
    path = folder / "lat.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_text_and_line_numbers(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "d,kind,latency_ms\n512,a,1.5\n\n640,b,2e1\n"))
    assert list(frame.index) == [2, 4]
    assert frame["latency_ms"].tolist() == [1.5, 20.0]
    assert frame["kind"].tolist() == ["a", "b"]
    assert frame["d"].dtype == np.int64


def test_an_empty_cell_of_a_numeric_column_is_nan(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "d,x\n1,a\n,b\n"))
    assert np.isnan(frame["d"].iloc[1])


@pytest.mark.parametrize("mark", ["nan", "N/A", "null", "[N/A]", "#N/A"])
def test_a_missing_number_is_nan_however_it_is_marked(tmp_path: Path, mark: str) -> None:
    frame = read_table(write(tmp_path, f"d,x\n1,a\n{mark},b\n"))
    assert np.isnan(frame["d"].iloc[1])


@pytest.mark.parametrize("cell", ['"[3072, 2048]"', "3072_2048", "3072 2048", '"(3072, 2048)"'])
def test_a_list_becomes_mean_sum_and_count(tmp_path: Path, cell: str) -> None:
    frame = read_table(write(tmp_path, f"ffn,y\n{cell},1\n1024,2\n"))
    assert list(frame.columns) == ["ffn.mean", "ffn.sum", "ffn.count", "y"]
    assert frame.iloc[0, :3].tolist() == [2560.0, 5120.0, 2.0]
    assert frame.iloc[1, :3].tolist() == [1024.0, 1024.0, 1.0]


@pytest.mark.parametrize("cell", ["[]", '"[13, x]"', ""])
def test_a_column_with_something_else_than_a_list_stays_as_it_is(tmp_path: Path, cell: str) -> None:
    frame = read_table(write(tmp_path, f"ffn,y\n{cell},1\n[7],2\n"))
    assert frame["ffn"].tolist() == [cell.strip('"'), "[7]"]


def test_a_date_is_text(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "when,y\n2024-01-02 10:00:00,1\n"))
    assert frame["when"].tolist() == ["2024-01-02 10:00:00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"lat\.csv must be a CSV with a header line\. Got an empty file"),
        ("a,b\n", r"has a header and no rows\. Add rows below it"),
        ("a,a\n1,2\n", r"line 1: column 'a' appears twice\. Rename one"),
        ("a,\n1,2\n", r"line 1: column 2 has no name"),
        ("a,b\n1\n2,3\n", r"line 2: 1 field, expected 2; 'b' is the first one missing\. Complete"),
        ("a,b\n1,2\n3", r"line 3: 1 field, expected 2.*The last line was torn.*delete it"),
        ("a,b\n1,2,3\n", r"line 2: 3 fields, expected 2\. Quote cells"),
        ('a,b\n1,"[2, 3', r"line 2: unexpected end of data.*torn"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_table(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv does not exist\. Check the path"):
        read_table(tmp_path / "none.csv")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot be read"):
        read_table(tmp_path)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lat.csv"
    path.write_bytes(b"a\n\x81\n")
    with pytest.raises(
        TableError, match=r"must be a CSV in UTF-8, UTF-16 or Windows-1252\. Got byte 0x81"
    ):
        read_table(path)


@pytest.mark.parametrize(
    ("cell", "got"),
    [("", "The cell is empty."), ("-1", "Got '-1'."), ("-1.5", "Got '-1.5'.")],
)
def test_a_refused_cell_is_shown_as_it_was_written(cell: str, got: str, tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    log.write_text(f"batch,took\n1,2\n2,{cell}\n")
    must_be = "a latency must be a number above 0, at most 1e+20."
    match = re.escape(f"line 3, column 'took': {must_be} {got}")
    with pytest.raises(TableError, match=match):
        positive_column(read_table(log), "took", what="a latency")


def test_rows_are_drawn_from_a_longer_table(tmp_path: Path) -> None:
    path = write(tmp_path, "d,latency_ms\n" + "".join(f"{i},{i / 7}\n" for i in range(1, 101)))
    drawn = read_table(path, most=20, seed=3)
    assert len(drawn) == len(set(drawn["d"])) == 20
    assert list(drawn.index) == [d + 1 for d in drawn["d"]] == sorted(drawn.index)
    assert drawn.attrs["remarks"] == ("20 of 100 rows are used, drawn at random with seed 3",)
    assert drawn.equals(read_table(path, most=20, seed=3))
    assert not drawn.equals(read_table(path, most=20, seed=4))
    assert read_table(path, most=100).attrs["remarks"] == ()
