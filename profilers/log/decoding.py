"""This module turns the bytes of a log into comma-separated text, whatever program saved them."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from profilers.log.json_tables import table_of_json
from profilers.log.known_tables import NNLQP_COLUMNS
from profilers.log.rows import LogError

DELIMITERS = (",", ";", "\t")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel",
    b"\x1f\x8b": "a file compressed by gzip",
    b"PAR1": "a file of Parquet",
    b"SQLite format": "a database of SQLite",
}
_NAMED_DELIMITER = re.compile(r"sep=(.)\r?\n")  # the first line of some files of Excel
_NNLQP_LINE = re.compile(r"\S+ \S+\.onnx \d+ [\d.eE+-]+ \S+ \d+ \w+")
# Google Benchmark writes some lines about the machine above the header.
_GOOGLE_HEADER = re.compile(r"^name,iterations,real_time,cpu_time,", re.M)
_SQL_ROW = re.compile(r"INSERT INTO \w+ \(([^)]*)\)\s*VALUES\s*\((.*)\);?\s*", re.I)
_BEYOND_ASCII = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a log.

    Attributes:
        text: Comma-separated text, or text with another delimiter.
        remarks: Sentences about what was done to the file, for the user.
    """

    text: str
    remarks: tuple[str, ...] = ()


def content_of(path: Path, n_lines: int | None = None) -> Decoded:
    """Return the text of a log, without a last character of which only some bytes were written.

    A byte-order mark is removed. Bytes that are not UTF-8 are read as Windows-1252, in which
    spreadsheets save. Measurements in JSON (see `profilers.log.json_tables`), a table in Markdown,
    rows in SQL and the list of NNLQP become a CSV with a header.

    Args:
        path: The log. A pipe may be read several times.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is empty or holds no text, or JSON that is no table.
        OSError: The file cannot be read.
    """
    content, remarks = _decoded(_bytes_of(path, n_lines), path)
    if "\0" in content or not content.strip():
        got = "a file with zero bytes in it" if content.strip() else "an empty file"
        raise LogError(f"{path} must be a CSV with a header line. Got {got}.")
    rows: Sequence[Sequence[object]] | None = None
    start = content.lstrip()[:12]
    if (head := _GOOGLE_HEADER.search(content)) is not None:
        content = "\n" * content.count("\n", 0, head.start()) + content[head.start() :]
    if _NNLQP_LINE.match(content):
        rows = [NNLQP_COLUMNS, *(line.split(" ") for line in content.splitlines())]
    elif start.startswith("|"):
        rows = _rows_of_markdown(content)
    elif start.upper().startswith(("CREATE TABLE", "INSERT INTO")):
        rows = _rows_of_sql(content, path)
    elif start.startswith(("[", "{")):
        table = table_of_json(content, path)
        rows, of_json = (None, ()) if table is None else table
        remarks += of_json
    return Decoded(content if rows is None else _csv(rows), remarks)


def _decoded(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file and remarks about its encoding.

    Raises:
        LogError: The bytes are no text in a known encoding.
    """
    for start, kind in _NO_TEXT.items():
        if data.startswith(start):
            raise LogError(f"{path} must be a CSV. Got {kind}. Save its table as a CSV.")
    if data.startswith(_UTF_16):
        encoding = "utf-16"
    elif b"\0" in data[:2000] and data[:2000].count(b"\0") > len(data[:2000]) // 4:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"  # without a mark
    else:
        encoding = "utf-8-sig"
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise LogError(f"{path} must be text. Got {error.reason} in UTF-16.") from None
        # The decoder counts from behind the byte-order mark.
        at = error.start + (len(data) - len(error.object))
    where = _place(data, at)
    remedy = "Save it as UTF-8, or convert it with: iconv -f ENCODING -t UTF-8"
    if _BEYOND_ASCII.search(data[:at]) or data.startswith(codecs.BOM_UTF8):
        raise LogError(f"{path} is UTF-8, but for {where}. Correct that line.")
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise LogError(
            f"{path} must be a CSV in UTF-8, UTF-16 or Windows-1252. "
            f"Got {_place(data, error.start)}. {remedy} {path}"
        ) from None
    sign = data[at : at + 1].decode("cp1252")
    return text, (
        f"{path} is not UTF-8 ({where}); it is read as Windows-1252, where that is {sign!r}",
    )


def _place(data: bytes, at: int) -> str:
    """Return a byte and its line, for a message."""
    line = data.count(b"\n", 0, at) + 1
    return f"byte 0x{data[at]:02x} in line {line}"


def delimiter_of(content: str) -> str:
    """Return the character between the cells: the one that makes the longest header."""
    if named := _NAMED_DELIMITER.match(content):
        return named[1]
    return max(DELIMITERS, key=lambda delimiter: len(_first_cells(content, delimiter)))


def without_named_delimiter(content: str) -> str:
    """Return the text with a blank first line where that names the delimiter."""
    return _NAMED_DELIMITER.sub("\n", content, count=1) if content.startswith("sep=") else content


def _first_cells(content: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _bytes_of(path: Path, n_lines: int | None) -> bytes:
    if path.is_file():
        with path.open("rb") as file:
            return file.read() if n_lines is None else b"".join(islice(file, n_lines))
    about = path.stat()
    lines = io.BytesIO(_piped(path, about.st_dev, about.st_ino))
    return lines.read() if n_lines is None else b"".join(islice(lines, n_lines))


@lru_cache(maxsize=4)
def _piped(path: Path, device: int, inode: int) -> bytes:
    """Return the content of a pipe, which can be read only once; its identity tells pipes apart."""
    return path.read_bytes()


def _rows_of_markdown(content: str) -> list[list[str]]:
    """Return the cells of a table in Markdown, such as llama-bench prints."""
    lines = [line.strip() for line in content.split("\n")]
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [row for row in rows if any(set(cell) - set(" :-") for cell in row)]


def _rows_of_sql(content: str, path: Path) -> list[list[str]]:
    """Return the cells of `INSERT INTO` lines, such as llama-bench prints, below their header.

    Raises:
        LogError: The lines are of several tables, or there are none.
    """
    inserted = [match for line in content.split("\n") if (match := _SQL_ROW.fullmatch(line))]
    headers = list(dict.fromkeys(match[1] for match in inserted))
    if len(headers) != 1:
        raise LogError(
            f"{path} must hold lines 'INSERT INTO ... (columns) VALUES (...);' with the same "
            f"columns. Got {len(headers)} different lists of columns. Export a CSV instead."
        )
    texts = io.StringIO("\n".join(match[2] for match in inserted))
    return [
        [name.strip() for name in headers[0].split(",")],
        *csv.reader(texts, quotechar="'", skipinitialspace=True),
    ]


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
