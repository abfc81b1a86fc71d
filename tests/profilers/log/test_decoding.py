import os
import threading
from pathlib import Path

import pytest

from profilers import LogError
from profilers.log.any_log import read_any_log
from profilers.log.decoding import text_of

TEXT = "batch,ms\n1,2.5\n2,3.25\n"
ROWS = [("1", "2.5"), ("2", "3.25")]


def read(tmp_path: Path, content: str | bytes) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    path = tmp_path / "any.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    log = read_any_log(path)
    assert log.malformed == ()
    return log.columns, [tuple(row.cells.values()) for row in log.rows]


@pytest.mark.parametrize(
    "content",
    [
        *(TEXT, "\ufeff" + TEXT, TEXT.encode("utf-16"), b"\xff\xfe" + TEXT.encode("utf-16-le")),
        *(TEXT.replace("\n", "\r\n"), TEXT.replace("\n", "\r"), TEXT.rstrip()),
        *(TEXT.replace(",", ";"), TEXT.replace(",", "\t"), "sep=;\r\n" + TEXT.replace(",", ";")),
        TEXT.replace(",", ";").replace(".", ","),
        TEXT.replace(",", "\t").replace("2.5", "2,50e0").replace("2,50e0", "2,5"),
        "batch,ms,,\n1,2.5,,\n2,3.25,,\n",
    ],
)
def test_a_table_reads_the_same_however_it_was_saved(tmp_path: Path, content: str | bytes) -> None:
    assert read(tmp_path, content) == (("batch", "ms"), ROWS)


def test_thousands_have_points_where_decimals_have_commas(tmp_path: Path) -> None:
    content = "name;flops;note\na;1.234.567,5;x, y\nb;12,5;z\n"
    rows = [("a", "1234567.5", "x, y"), ("b", "12.5", "z")]
    assert read(tmp_path, content) == (("name", "flops", "note"), rows)


def test_the_index_of_pandas_has_the_name_that_pandas_gives_it(tmp_path: Path) -> None:
    assert read(tmp_path, ",ms\n0,1.5\n1,2.5\n") == (
        ("Unnamed: 0", "ms"),
        [("0", "1.5"), ("1", "2.5")],
    )


@pytest.mark.parametrize("content", ["0,net_0,1011.1,14.5\n0,net_1,868.8,30.3\n", "1,2\n3,4\n"])
def test_a_file_without_a_header_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    with pytest.raises(LogError, match=r"any\.csv has no header: line 1 holds a measurement, '"):
        read(tmp_path, content)


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[TEXT])
    writer.start()
    logs = [read_any_log(pipe), read_any_log(pipe, n_lines=2)]
    writer.join()
    assert [len(log.rows) for log in logs] == [2, 1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-8-sig"])
def test_the_encodings_of_spreadsheets_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes("Größe,Zeit (µs)\r\n1,2.5\r\n".encode(encoding))
    log = read_any_log(path)
    assert log.columns == ("Größe", "Zeit (µs)")
    assert log.unit_of("Zeit (µs)").name == "us"
    told = (
        f"{path} is not UTF-8 (byte 0xf6 in line 1); it is read as Windows-1252, where that is 'ö'"
    )
    assert log.remarks == ((told,) if encoding == "cp1252" else ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("größe,ms\n1,2\n".encode() + b"2,\xff\n", "is UTF-8, but for byte 0xff in line 3"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Got a workbook or a zip archive. Save its table as a CSV"),
        (b"a,ms\n1,\x81\n", "Got byte 0x81 in line 2. Save it as UTF-8, or convert it with: iconv"),
    ],
)
def test_other_bytes_are_refused_by_byte_and_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(LogError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("batch,\ufeffms\n1,2.5\n\ufeff2,3.25\n", ROWS),
        ("batch\u200b,ms\n1\u200b,2.5\n2,\u202a3.25\u202c\n", ROWS),
        ("batch,ms\n\u0661,\u0662.\u0665\n\uff12,\uff13.\uff12\uff15\n", ROWS),
        ("batch,ms\n\u22121,2.5\na\u2212b,\u2212.5\n", [("-1", "2.5"), ("a\u2212b", "-.5")]),
    ],
)
def test_numbers_read_the_same_in_other_characters(
    tmp_path: Path, text: str, rows: list[tuple[str, str]]
) -> None:
    assert read(tmp_path, text) == (("batch", "ms"), rows)


@pytest.mark.parametrize(
    "content",
    [
        '"batch","ms"\n"1",1,2.5\n"2",2,3.25\n',  # write.table(sep = ",") of R
        '"batch" "ms"\n"big one" 1 2.5\n"small" 2 3.25\n',  # write.table()
        "batch,ms\nfirst,1,2.5\nsecond,2,3.25\n",
    ],
)
def test_names_of_rows_have_no_column_in_files_of_r(tmp_path: Path, content: str) -> None:
    columns, rows = read(tmp_path, content)
    assert columns == ("Unnamed: 0", "batch", "ms")
    assert [row[1:] for row in rows] == ROWS


def test_a_comma_behind_every_row_is_no_cell(tmp_path: Path) -> None:
    assert read(tmp_path, "batch,ms\n1,2.5,\n2,3.25,\n") == (("batch", "ms"), ROWS)


def test_decimal_commas_without_quotes_stay_malformed(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("batch,ms\n8,2,5\n16,3,25\n")
    assert [record.line for record in read_any_log(path).malformed] == [2, 3]


def test_a_quote_may_stand_behind_a_space(tmp_path: Path) -> None:
    content = 'batch, "time, in ms"\n1, "2.5"\n2, "3.25"\n'
    assert read(tmp_path, content) == (("batch", "time, in ms"), ROWS)


def test_what_a_terminal_and_dos_add_is_no_text(tmp_path: Path) -> None:
    coloured = "\x1b[1mbatch,ms\x1b[0m\n\x1b[38;5;2m1,2.5\n2,3.25\x1b[K\n\x1a"
    assert read(tmp_path, coloured) == (("batch", "ms"), ROWS)


def test_zero_bytes_that_a_crash_left_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="Got a zero byte in line 4. Remove such bytes, e.g. with"):
        read(tmp_path, TEXT.encode() + bytes(100))


def test_a_file_that_is_no_text_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b'\x08\x08\x12\x07automoe:\x8a\x01\n\x12\n\x01x\n\x01w\x12\x01y"\x04Relu')
    with pytest.raises(LogError, match="model.onnx must be a table. Got a file that is no text"):
        text_of(path)
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(LogError, match="Got a file that is no text"):
        text_of(path)
