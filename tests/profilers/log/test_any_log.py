from math import isnan
from pathlib import Path

import pytest
from support.measurements import made_up

from profilers import LogError
from profilers.log.any_log import read_any_log
from profilers.log.records import Record
from profilers.log.rows import format_line


def log(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "any.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_know_the_line_they_start_in(tmp_path: Path) -> None:
    text = '\ufeffsize,note\r\n1,plain\r\n\r\n2,"over\r\ntwo lines"\r\n 3 ,last'
    found = read_any_log(log(tmp_path, text))
    assert found.columns == ("size", "note")
    assert [(row.line, row.cells["size"]) for row in found.rows] == [(2, "1"), (4, "2"), (6, "3")]
    assert (found.malformed, found.torn, found.is_ours) == ((), None, False)


def test_rows_know_what_their_cells_were(tmp_path: Path) -> None:
    found = read_any_log(log(tmp_path, "pool,a,b\n8 GiB,1,2\n4 GiB,3,4\n"))
    assert found.header == found.columns == ("pool", "a", "b")
    assert [row.as_written for row in found.rows] == [("8 GiB", "1", "2"), ("4 GiB", "3", "4")]
    assert found.rows[0].number("pool") == 8 * 2**30 / 1e6


def test_lines_with_other_fields_and_open_quotes_are_malformed(tmp_path: Path) -> None:
    found = read_any_log(log(tmp_path, 'a,b\n1,2\n1\n1,2,3\n3,4\n5,"open\n6,7\n'))
    assert [row.line for row in found.rows] == [2, 5]
    assert found.malformed == (
        Record(3, 3, ("1",)),
        Record(4, 4, ("1", "2", "3")),
        Record(6, 7, (), "unexpected end of data", is_last=True),
    )


def test_a_torn_last_line_of_ours_is_no_row(tmp_path: Path) -> None:
    row = made_up().row()
    content = format_line(list(row)) + format_line(list(row.values())) * 2
    assert read_any_log(log(tmp_path, content)).torn is None
    found = read_any_log(log(tmp_path, content[:-1]))
    assert (found.is_ours, found.torn, len(found.rows)) == (True, 3, 1)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\f", "\v", "\x1c"])
def test_a_line_ends_at_a_line_break_only(tmp_path: Path, separator: str) -> None:
    found = read_any_log(log(tmp_path, f"name,latency_ms\na{separator}b,1\nc,2\n"))
    assert [(row.line, row.cells["name"]) for row in found.rows] == [
        (2, f"a{separator}b"),
        (3, "c"),
    ]


def test_a_row_of_ours_is_one_line(tmp_path: Path) -> None:
    row = made_up(columns={"note": "a b"}).row()
    content = format_line(list(row)) + format_line(list(row.values()))
    found = read_any_log(log(tmp_path, content.replace(b"a b", b'"a\nb"')))
    assert (found.rows, [record.line for record in found.malformed]) == ((), [2])


def test_a_last_letter_cut_in_two_belongs_to_the_torn_line(tmp_path: Path) -> None:
    row = made_up(columns={"note": "\u00fc"}).row()
    content = format_line(list(row)) + format_line(list(row.values())) * 2
    found = read_any_log(log(tmp_path, content[:-2]))
    assert (found.torn, len(found.rows), found.malformed) == (3, 1, ())


def test_cells_are_numbers_or_nan(tmp_path: Path) -> None:
    (row,) = read_any_log(log(tmp_path, "a,b,c,d,e\n1.5,inf,text,1e21,30_72\n")).rows
    assert row.number("a") == 1.5
    assert all(isnan(row.number(name)) for name in ("b", "c", "d", "e", "absent"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a CSV with a header line. Got an empty file"),
        (
            b"PK\x00\x01,a\n",
            "must be a CSV with a header line. Got a zero byte in line 1. Remove such",
        ),
        (b"a,b\n\x81\n", "must be a CSV in UTF-8, UTF-16 or Windows-1252. Got byte 0x81 in line 2"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(LogError, match=message):
        read_any_log(log(tmp_path, content))


def test_a_log_is_shown_in_a_few_lines_however_many_rows_it_has(tmp_path: Path) -> None:
    text = "size,latency_ms\n" + "".join(f"{i},{i + 0.5}\n" for i in range(1, 501))
    told = repr(read_any_log(str(log(tmp_path, text))))
    assert [line.split() for line in told.splitlines()] == [
        ["AnyLog"],
        ["file", "any.csv"],
        ["written", "by", "another", "program"],
        ["rows", "500"],
        ["columns", "2"],
    ]
